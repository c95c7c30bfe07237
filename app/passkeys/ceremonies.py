"""The two ceremonies of WebAuthn, by the library py_webauthn: what a browser is asked, and the check of its answer.

Pure: no request, no database. Registration makes a passkey, authentication shows that its holder is there. Both require
user verification, that is the fingerprint, the face or the PIN that unlocks the device. So a passkey is two factors.

The service imports this module on first use: with the cryptography that the library needs it takes 0.15 s and 14 MB,
and most sign-ins are by password. An answer is JSON, CBOR and keys that anybody can send: no list of the errors that
decoding it raises would be complete, so the service turns each of them into a refusal.
"""

from collections.abc import Iterable
from typing import Any

import webauthn
from webauthn import helpers
from webauthn.authentication.verify_authentication_response import VerifiedAuthentication
from webauthn.helpers import structs
from webauthn.helpers.cose import COSEAlgorithmIdentifier as Algorithm
from webauthn.registration.verify_registration_response import VerifiedRegistration

TIMEOUT = 5 * 60 * 1000  # milliseconds, as long as a challenge lives
MAX_CREDENTIAL_ID = 1023  # bytes; WebAuthn Level 3, section 4
MAX_PUBLIC_KEY = 1024  # bytes; RSA of 4,096 bits takes 600, and checking a much longer one would take seconds
# The signatures that a passkey may make; the last one is that of Windows Hello.
ALGORITHMS = [Algorithm.EDDSA, Algorithm.ECDSA_SHA_256, Algorithm.RSASSA_PKCS1_v1_5_SHA_256]

# Of an account's passkeys: the credential, how to reach its device, and the user handle.
Known = Iterable[tuple[bytes, list[str], bytes]]


def registration_options(
    site: str, challenge: bytes, user_handle: bytes, email: str, nickname: str, known: Known
) -> dict[str, Any]:
    """Return what to ask navigator.credentials.create() for: a discoverable credential, without attestation.

    `site` is the host name of the relying party. A device that has one of the `known` passkeys makes no second one.
    """
    options = webauthn.generate_registration_options(
        rp_id=site,
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
        supported_pub_key_algs=ALGORITHMS,
    )
    return helpers.options_to_json_dict(options)


def authentication_options(site: str, challenge: bytes, known: Known) -> dict[str, Any]:
    """Return what to ask navigator.credentials.get() for. Where `known` is empty any passkey of the site may answer."""
    options = webauthn.generate_authentication_options(
        rp_id=site,
        challenge=challenge,
        timeout=TIMEOUT,
        allow_credentials=_descriptors(known),
        user_verification=structs.UserVerificationRequirement.REQUIRED,
    )
    return helpers.options_to_json_dict(options)


def _descriptors(known: Known) -> list[structs.PublicKeyCredentialDescriptor]:
    return [
        structs.PublicKeyCredentialDescriptor(
            id=credential_id, transports=list(map(structs.AuthenticatorTransport, transports))
        )
        for credential_id, transports, _handle in known
    ]


def verify_registration(
    site: str, origin: str, challenge: bytes, answer: str
) -> tuple[VerifiedRegistration, list[str]]:
    """Return the passkey that navigator.credentials.create() made, and its transports."""
    credential = helpers.parse_registration_credential_json(answer)
    verified = webauthn.verify_registration_response(
        credential=credential,
        expected_challenge=challenge,
        expected_rp_id=site,
        expected_origin=origin,
        require_user_verification=True,
        supported_pub_key_algs=ALGORITHMS,
    )
    # The library only decodes the key. An invalid one, such as a point beside the curve, could sign nobody in.
    helpers.decoded_public_key_to_cryptography(helpers.decode_credential_public_key(verified.credential_public_key))
    if not 0 < len(verified.credential_id) <= MAX_CREDENTIAL_ID or len(verified.credential_public_key) > MAX_PUBLIC_KEY:
        raise ValueError("too long")
    return verified, sorted({transport.value for transport in credential.response.transports or []})


def verify_authentication(
    site: str, origin: str, challenge: bytes, credential: structs.AuthenticationCredential, public_key: bytes
) -> VerifiedAuthentication:
    """Verify that the holder of the private key has signed this challenge for this site.

    The caller compares the counter: the library would do it before the signature, so anybody could claim a copy.
    """
    return webauthn.verify_authentication_response(
        credential=credential,
        expected_challenge=challenge,
        expected_rp_id=site,
        expected_origin=origin,
        credential_public_key=public_key,
        credential_current_sign_count=0,
        require_user_verification=True,
    )
