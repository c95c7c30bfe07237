"""My page, and the preferences of a browser."""

from flask_babel import lazy_gettext as _

from app.features import Feature, MenuEntry
from app.mypage import views

FEATURE = Feature(
    blueprints=[views.bp, views.preferences],
    menu=MenuEntry(endpoint="mypage.index", icon="circle-user-round", label=_("My page")),
)
