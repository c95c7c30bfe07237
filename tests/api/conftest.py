"""A program of Alice, whose token may do everything."""

import pytest
from flask import Flask

from app.accounts.models import User
from tests.api.program import Program, program_of


@pytest.fixture
def program(app: Flask, alice: User) -> Program:
    return program_of(app, alice)
