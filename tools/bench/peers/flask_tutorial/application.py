"""The peer in Flask, as its best-known tutorial writes it: Flask-SQLAlchemy, Flask-Login, Flask-WTF.

https://blog.miguelgrinberg.com/post/the-flask-mega-tutorial-part-i-hello-world
"""

import os
from datetime import datetime
from typing import Any

from argon2 import PasswordHasher
from flask import Flask, Response, redirect, render_template, render_template_string, request
from flask_login import LoginManager, UserMixin, current_user, login_required, login_user
from flask_sqlalchemy import SQLAlchemy
from flask_wtf import CSRFProtect, FlaskForm
from sqlalchemy import DateTime, ForeignKey, func, select
from sqlalchemy.orm import Mapped, WriteOnlyMapped, mapped_column, relationship
from wtforms import StringField, TextAreaField
from wtforms.validators import DataRequired, Length

PAGE_SIZE = 20
FORM = (
    '<form method="post"><input type="hidden" name="csrf_token" value="{{ csrf_token() }}">'
    '<input name="email"><input name="password" type="password"><button>Sign in</button></form>'
)

app = Flask(__name__, template_folder=os.environ["TEMPLATES"])
app.config["SECRET_KEY"] = os.environ["SECRET_KEY"]
app.config["SQLALCHEMY_DATABASE_URI"] = os.environ["DATABASE_URL"].replace("postgresql:", "postgresql+psycopg2:")
db = SQLAlchemy(app)
login = LoginManager(app)
csrf = CSRFProtect(app)


class User(UserMixin, db.Model):  # type: ignore[name-defined]
    __tablename__ = "users"

    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str]
    nickname: Mapped[str]
    password_hash: Mapped[str]
    notes: WriteOnlyMapped["Note"] = relationship(back_populates="author")


class Note(db.Model):  # type: ignore[name-defined]
    __tablename__ = "notes"

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey(User.id))
    title: Mapped[str]
    content: Mapped[str]
    pinned: Mapped[bool] = mapped_column(server_default="false")
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    deleted_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    author: Mapped[User] = relationship(back_populates="notes")


class NoteForm(FlaskForm):
    title = StringField("Title", validators=[Length(max=50)])
    content = TextAreaField("Note", validators=[DataRequired(), Length(max=2000)])


@login.user_loader
def load_user(user_id: str) -> User | None:
    return db.session.get(User, int(user_id))


@app.route("/sign-in", methods=["GET", "POST"])
def sign_in() -> Any:
    if request.method == "GET":
        return render_template_string(FORM)
    user = db.session.scalars(select(User).where(User.email == request.form["email"])).one()
    PasswordHasher().verify(user.password_hash, request.form["password"])
    login_user(user)
    return redirect("/notes")


@app.route("/notes", methods=["GET", "POST"])
@login_required
def notes() -> str | Response | Any:
    form = NoteForm()
    if form.validate_on_submit():
        db.session.add(Note(title=form.title.data, content=form.content.data, author=current_user))
        db.session.commit()
        return redirect("/notes")
    query = current_user.notes.select().where(Note.deleted_at.is_(None))
    query = query.order_by(Note.pinned.desc(), Note.created_at.desc(), Note.id.desc())
    page = db.paginate(query, page=request.args.get("page", 1, type=int), per_page=PAGE_SIZE, error_out=False)
    return render_template("index.html", notes=page.items, form=form)
