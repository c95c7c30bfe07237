"""The page of all tags."""

from flask import render_template
from flask_login import current_user

from app.follower.choice import from_follower
from app.notes import listing
from app.notes.views import Answer, bp


@bp.get("/tags")
@from_follower
def tags() -> Answer:
    return render_template("notes/tags.html", tags=listing.list_tags(current_user.id))
