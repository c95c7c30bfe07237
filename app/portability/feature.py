"""Export and import of all that a person has written."""

from flask_babel import lazy_gettext as _

from app.features import Feature
from app.portability import api, views

FEATURE = Feature(blueprints=[views.bp], api=api, scopes={"export:read": _("Export everything")})
