"""Accounts with passkeys, and a software authenticator, which acts as a browser with a fingerprint reader (ES256)."""

import hashlib
import json
import secrets
from base64 import urlsafe_b64encode
from dataclasses import dataclass, field
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from flask import Flask
from webauthn.helpers import base64url_to_bytes, encode_cbor

from app.accounts.models import User
from app.passkeys import service, two_step
from app.passkeys.service import RelyingParty
from tests.conftest import CLIENT
from tests.visitor import Visitor

USER_PRESENT, USER_VERIFIED, BACKUP_ELIGIBLE, BACKED_UP, HAS_KEY = 0x01, 0x04, 0x08, 0x10, 0x40
FLAGS = USER_PRESENT | USER_VERIFIED
ORIGIN = "http://localhost"

Options = dict[str, Any]


def encoded(value: bytes) -> str:
    return urlsafe_b64encode(value).rstrip(b"=").decode()


# What no ceremony may accept: an answer for another site, to another challenge, or of nobody who was verified.
UNTRUE: list[dict[str, Any]] = [
    {"origin": "http://localhost:1"},
    {"origin": "https://localhost"},
    {"origin": "https://evil.example"},
    {"rp_id": "evil.example"},
    {"challenge": encoded(bytes(32))},
    {"flags": USER_PRESENT},
    {"flags": FLAGS & ~USER_PRESENT},
]


@dataclass
class Authenticator:
    """Stand in for a device with one passkey."""

    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    credential_id: bytes = field(default_factory=lambda: secrets.token_bytes(32))
    user_handle: bytes = b""
    count: int = 0

    def register(self, options: Options, **wrong: Any) -> str:
        """Answer navigator.credentials.create(). Args: wrong: parts that replace the true ones, as in UNTRUE."""
        self.user_handle = base64url_to_bytes(options["user"]["id"])
        rp_id, flags = str(wrong.get("rp_id", options["rp"]["id"])), wrong.get("flags", FLAGS)
        data = self._authenticator_data(rp_id, flags | HAS_KEY)
        data += bytes(16) + len(self.credential_id).to_bytes(2, "big") + self.credential_id + self._public_key()
        attestation = encode_cbor({"fmt": "none", "attStmt": {}, "authData": data})
        client = self._client_data("webauthn.create", options, wrong)
        return self._credential(
            clientDataJSON=encoded(client), attestationObject=encoded(attestation), transports=["internal", "telepathy"]
        )

    def sign(self, options: Options, **wrong: Any) -> str:
        """Answer navigator.credentials.get()."""
        data = self._authenticator_data(str(wrong.get("rp_id", options["rpId"])), wrong.get("flags", FLAGS))
        client = self._client_data("webauthn.get", options, wrong)
        signature = self.key.sign(data + hashlib.sha256(client).digest(), ec.ECDSA(SHA256()))
        return self._credential(
            clientDataJSON=encoded(client),
            authenticatorData=encoded(data),
            signature=encoded(signature),
            userHandle=encoded(wrong.get("user_handle", self.user_handle)),
        )

    def _authenticator_data(self, rp_id: str, flags: int) -> bytes:
        return hashlib.sha256(rp_id.encode()).digest() + bytes([flags]) + self.count.to_bytes(4, "big")

    def _client_data(self, kind: str, options: Options, wrong: Options) -> bytes:
        true = {"type": kind, "challenge": options["challenge"], "origin": ORIGIN, "crossOrigin": False}
        return json.dumps({name: wrong.get(name, value) for name, value in true.items()}).encode()

    def _public_key(self) -> bytes:
        """Return the COSE key: EC2, ES256, P-256, x, y."""
        point = self.key.public_key().public_numbers()
        return encode_cbor({1: 2, 3: -7, -1: 1, -2: point.x.to_bytes(32, "big"), -3: point.y.to_bytes(32, "big")})

    def _credential(self, **response: Any) -> str:
        name = encoded(self.credential_id)
        credential = {"id": name, "rawId": name, "type": "public-key", "response": response}
        return json.dumps({**credential, "authenticatorAttachment": "platform", "clientExtensionResults": {}})


PARTY = RelyingParty("localhost", ORIGIN)


def ask(browser: Visitor, path: str) -> Options:
    """Return what passkeys.js is told to ask the browser."""
    answer = browser.submit(f"{path}/options")
    assert answer.status_code == 200
    assert isinstance(answer.json, dict)
    return answer.json


def add_passkey(user: User, name: str = "Chrome on macOS") -> Authenticator:
    authenticator = Authenticator()
    challenge_id, options = service.ask_to_register(PARTY, user.id, user.email, user.nickname)
    service.add_passkey(PARTY, challenge_id, user.id, authenticator.register(options), name, CLIENT)
    return authenticator


@pytest.fixture
def passkey(app: Flask, alice: User) -> Authenticator:
    return add_passkey(alice)


@pytest.fixture
def codes(alice: User, passkey: Authenticator) -> list[str]:
    """Return the recovery codes of Alice, whom sign-in asks for a second step."""
    return two_step.turn_on(alice.id, CLIENT)
