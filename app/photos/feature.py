"""Profile photos. My page has their form, and the API their operations."""

from app.features import Feature
from app.photos import tasks

FEATURE = Feature(tasks=tasks, commands=[tasks.check_bucket])
