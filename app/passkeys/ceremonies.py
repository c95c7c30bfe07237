"""The two ceremonies of WebAuthn, by the library py_webauthn: what a browser is asked, and the check of its answer.

Pure: no request, no database. Registration makes a passkey, authentication shows that its holder is there. Both require
user verification, that is the fingerprint, the face or the PIN that unlocks the device. So a passkey is two factors.

The library is imported on first use: with the cryptography that it needs it takes 0.15 s and 14 MB, and most sign-ins
are by password.
"""

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from webauthn.authentication.verify_authentication_response import VerifiedAuthentication
    from webauthn.helpers.cose import COSEAlgorithmIdentifier
    from webauthn.helpers.structs import AuthenticationCredential, PublicKeyCredentialDescriptor
    from webauthn.registration.verify_registration_response import VerifiedRegistration

TIMEOUT = 5 * 60 * 1000  # milliseconds, as long as a challenge lives
MAX_ANSWER = 16_000  # characters; without attestation a real one has 1,000
MAX_CREDENTIAL_ID = 1023  # bytes; WebAuthn Level 3, section 4
MAX_PUBLIC_KEY = 1024  # bytes; RSA of 4,096 bits takes 600, and checking a much longer one would take seconds


class PasskeyRefused(Exception):
    """The answer is malformed or not true, or no account has this passkey. Its text is for the log alone."""


@dataclass(frozen=True)
class RelyingParty:
    """This site, as WebAuthn names it."""

    id: str  # a host name. A passkey works for this one alone, which is why it cannot be phished.
    origin: str  # scheme, host and port of the pages that ask for passkeys


Known = Iterable[tuple[bytes, list[str]]]  # of an account's passkeys: the credential, and how to reach its device


def algorithms() -> "list[COSEAlgorithmIdentifier]":
    """Return the signatures that a passkey may make."""
    from webauthn.helpers.cose import COSEAlgorithmIdentifier as Algorithm

    return [Algorithm.EDDSA, Algorithm.ECDSA_SHA_256, Algorithm.RSASSA_PKCS1_v1_5_SHA_256]  # the last: Windows Hello


def registration_options(
    party: RelyingParty, challenge: bytes, user_handle: bytes, email: str, nickname: str, known: Known
) -> dict[str, Any]:
    """Return what to ask navigator.credentials.create() for: a discoverable credential, without attestation.

    Args:
        email, nickname: stay on the reader's device, to tell accounts apart there.
        known: the account's passkeys; a device that has one of them makes no second one.
    """
    import webauthn
    from webauthn.helpers import options_to_json_dict, structs

    options = webauthn.generate_registration_options(
        rp_id=party.id,
        rp_name="Semicircle",
        user_id=user_handle,
        user_name=email,
        user_display_name=nickname,
        challenge=challenge,
        timeout=TIMEOUT,
        attestation=structs.AttestationConveyancePreference.NONE,
        authenticator_selection=structs.AuthenticatorSelectionCriteria(
            resident_key=structs.ResidentKeyRequirement.REQUIRED,
            user_verification=structs.UserVerificationRequirement.REQUIRED,
        ),
        exclude_credentials=_descriptors(known),
        supported_pub_key_algs=algorithms(),
    )
    return options_to_json_dict(options)


def authentication_options(party: RelyingParty, challenge: bytes, known: Known = ()) -> dict[str, Any]:
    """Return what to ask navigator.credentials.get() for. Without `known` any passkey of this site may answer."""
    import webauthn
    from webauthn.helpers import options_to_json_dict
    from webauthn.helpers.structs import UserVerificationRequirement

    options = webauthn.generate_authentication_options(
        rp_id=party.id,
        challenge=challenge,
        timeout=TIMEOUT,
        allow_credentials=_descriptors(known),
        user_verification=UserVerificationRequirement.REQUIRED,
    )
    return options_to_json_dict(options)


def _descriptors(known: Known) -> "list[PublicKeyCredentialDescriptor]":
    from webauthn.helpers.structs import AuthenticatorTransport, PublicKeyCredentialDescriptor

    return [
        PublicKeyCredentialDescriptor(id=credential_id, transports=list(map(AuthenticatorTransport, transports)))
        for credential_id, transports in known
    ]


def verify_registration(party: RelyingParty, challenge: bytes, answer: str) -> "tuple[VerifiedRegistration, list[str]]":
    """Return the passkey that navigator.credentials.create() made, and its transports. Raises: PasskeyRefused."""
    import webauthn
    from webauthn import helpers

    with refusing():
        credential = helpers.parse_registration_credential_json(load(answer))
        verified = webauthn.verify_registration_response(
            credential=credential,
            expected_challenge=challenge,
            expected_rp_id=party.id,
            expected_origin=party.origin,
            require_user_verification=True,
            supported_pub_key_algs=algorithms(),
        )
        # The library only decodes the key. An invalid one, such as a point beside the curve, could sign nobody in.
        key = helpers.decode_credential_public_key(verified.credential_public_key)
        helpers.decoded_public_key_to_cryptography(key)
    if not 0 < len(verified.credential_id) <= MAX_CREDENTIAL_ID or len(verified.credential_public_key) > MAX_PUBLIC_KEY:
        raise PasskeyRefused("too long")
    return verified, sorted({transport.value for transport in credential.response.transports or []})


def parse_authentication(answer: str) -> "AuthenticationCredential":
    """Parse the answer of navigator.credentials.get(), which says whose it claims to be. Raises: PasskeyRefused."""
    from webauthn.helpers import parse_authentication_credential_json

    with refusing():
        return parse_authentication_credential_json(load(answer))


def verify_authentication(
    party: RelyingParty, challenge: bytes, credential: "AuthenticationCredential", public_key: bytes
) -> "VerifiedAuthentication":
    """Verify that the holder of the private key has signed this challenge for this site. Raises: PasskeyRefused.

    The caller compares the counter: the library would do it before the signature, so anybody could claim a copy.
    """
    import webauthn

    with refusing():
        return webauthn.verify_authentication_response(
            credential=credential,
            expected_challenge=challenge,
            expected_rp_id=party.id,
            expected_origin=party.origin,
            credential_public_key=public_key,
            credential_current_sign_count=0,
            require_user_verification=True,
        )


def load(answer: str) -> dict[str, Any]:
    found = json.loads(answer[: MAX_ANSWER + 1])
    if len(answer) > MAX_ANSWER or not isinstance(found, dict):
        raise ValueError
    return found


@contextmanager
def refusing() -> Iterator[None]:
    """Turn whatever an answer makes the library raise into a refusal.

    It decodes JSON, CBOR and keys that anybody can send: no list of the errors of that would be complete.
    """
    try:
        yield
    except Exception as error:
        raise PasskeyRefused(f"{type(error).__name__}: {error}"[:200]) from error
