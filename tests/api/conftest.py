"""Programs of Alice and of Bob, whose tokens may do everything."""

import pytest
from flask import Flask

from app.accounts.models import User
from tests.api.program import Program, program_of


@pytest.fixture
def program(app: Flask, alice: User) -> Program:
    return program_of(app, alice, "read", "write")


@pytest.fixture
def bobs(app: Flask, bob: User) -> Program:
    return program_of(app, bob, "read", "write")
