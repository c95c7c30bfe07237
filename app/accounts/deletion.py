"""Delete the account."""

from app import storage
from app.accounts import events
from app.accounts.events import Client
from app.accounts.service import lock_user_with_password
from app.extensions import db


def delete_account(user_id: int, password: str, client: Client) -> None:
    """Delete the user and, by ON DELETE CASCADE, all rows that belong to the user. The worker deletes the photo.

    Raises:
        WrongPassword, AccountGone: nothing was changed.
    """
    user = lock_user_with_password(user_id, password)
    storage.delete_later(user.image_url)
    db.session.delete(user)
    db.session.commit()
    events.account_deleted(user_id, client)
