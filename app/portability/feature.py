"""Export and import of all that a person has written."""

from app.features import Feature
from app.portability import views

FEATURE = Feature(blueprints=[views.bp])
