"""A software authenticator: makes passkeys and answers challenges as a browser with a fingerprint reader does (ES256).

Every part of an answer can be made wrong, one at a time.
"""

import hashlib
import json
import secrets
from base64 import urlsafe_b64encode
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from webauthn.helpers import base64url_to_bytes, encode_cbor

USER_PRESENT, USER_VERIFIED, BACKUP_ELIGIBLE, BACKED_UP, HAS_KEY = 0x01, 0x04, 0x08, 0x10, 0x40
FLAGS = USER_PRESENT | USER_VERIFIED
ORIGIN = "http://localhost"

Options = dict[str, Any]
Answer = dict[str, Any]


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

    def register(
        self, options: Options, *, origin: str = ORIGIN, rp_id: str = "", challenge: str = "", flags: int = FLAGS
    ) -> str:
        """Answer navigator.credentials.create()."""
        self.user_handle = base64url_to_bytes(options["user"]["id"])
        data = self._authenticator_data(rp_id or options["rp"]["id"], flags | HAS_KEY)
        data += bytes(16) + len(self.credential_id).to_bytes(2, "big") + self.credential_id + self._public_key()
        attestation = encode_cbor({"fmt": "none", "attStmt": {}, "authData": data})
        client = self._client_data("webauthn.create", challenge or options["challenge"], origin)
        response = {
            "clientDataJSON": encoded(client),
            "attestationObject": encoded(attestation),
            "transports": ["internal", "telepathy"],
        }
        return json.dumps(self._credential(response))

    def sign(
        self,
        options: Options,
        *,
        origin: str = ORIGIN,
        rp_id: str = "",
        challenge: str = "",
        flags: int = FLAGS,
        kind: str = "webauthn.get",
        user_handle: bytes | None = None,
    ) -> str:
        """Answer navigator.credentials.get()."""
        data = self._authenticator_data(rp_id or options["rpId"], flags)
        client = self._client_data(kind, challenge or options["challenge"], origin)
        signature = self.key.sign(data + hashlib.sha256(client).digest(), ec.ECDSA(SHA256()))
        response = {
            "clientDataJSON": encoded(client),
            "authenticatorData": encoded(data),
            "signature": encoded(signature),
            "userHandle": encoded(self.user_handle if user_handle is None else user_handle),
        }
        return json.dumps(self._credential(response))

    def _authenticator_data(self, rp_id: str, flags: int) -> bytes:
        return hashlib.sha256(rp_id.encode()).digest() + bytes([flags]) + self.count.to_bytes(4, "big")

    def _client_data(self, kind: str, challenge: str, origin: str) -> bytes:
        return json.dumps({"type": kind, "challenge": challenge, "origin": origin, "crossOrigin": False}).encode()

    def _public_key(self) -> bytes:
        """Return the COSE key: EC2, ES256, P-256, x, y."""
        point = self.key.public_key().public_numbers()
        key = {1: 2, 3: -7, -1: 1, -2: point.x.to_bytes(32, "big"), -3: point.y.to_bytes(32, "big")}
        return encode_cbor(key)

    def _credential(self, response: Answer) -> Answer:
        name = encoded(self.credential_id)
        return {
            "id": name,
            "rawId": name,
            "type": "public-key",
            "authenticatorAttachment": "platform",
            "clientExtensionResults": {},
            "response": response,
        }
