"""A Flask application that knows Flask-Migrate as its manual shows it, and none of our code: the naive side's."""

import os

from flask import Flask
from flask_migrate import Migrate
from flask_sqlalchemy import SQLAlchemy

app = Flask(__name__)
app.config["SQLALCHEMY_DATABASE_URI"] = os.environ["DATABASE_URL"].replace("postgresql:", "postgresql+psycopg2:")
Migrate(app, SQLAlchemy(app))
