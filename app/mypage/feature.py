"""My page, and the preferences of a browser."""

from flask_babel import lazy_gettext as _

from app.features import Feature, MenuEntry
from app.mypage import api, views

FEATURE = Feature(
    blueprints=[views.bp, views.preferences],
    api=api,
    scopes={"profile:read": _("Read the profile"), "profile:write": _("Change the profile and photo")},
    menu=MenuEntry(endpoint="mypage.index", icon="circle-user-round", label=_("My page")),
)
