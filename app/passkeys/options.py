"""What a browser is asked in the two ceremonies of WebAuthn, as JSON (ceremonies.py checks the answer). Pure.

The library is imported on first use, as there.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from app.passkeys.ceremonies import RelyingParty, algorithms

if TYPE_CHECKING:
    from webauthn.helpers.structs import PublicKeyCredentialDescriptor

TIMEOUT = 5 * 60 * 1000  # milliseconds, as long as a challenge lives


@dataclass(frozen=True)
class Known:
    """A passkey of the account that is asked: by which credential, and how to reach its device."""

    credential_id: bytes
    transports: Sequence[str]


def registration_options(
    party: RelyingParty, challenge: bytes, user_handle: bytes, email: str, nickname: str, known: Sequence[Known]
) -> dict[str, Any]:
    """What navigator.credentials.create() is asked for: a discoverable credential, and no attestation of its maker.

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
        exclude_credentials=descriptors(known),
        supported_pub_key_algs=algorithms(),
    )
    return options_to_json_dict(options)


def authentication_options(party: RelyingParty, challenge: bytes, known: Sequence[Known] = ()) -> dict[str, Any]:
    """What navigator.credentials.get() is asked for.

    Args:
        known: the passkeys that may answer; empty: any of this site, so nobody has to say first who they are.
    """
    import webauthn
    from webauthn.helpers import options_to_json_dict
    from webauthn.helpers.structs import UserVerificationRequirement

    options = webauthn.generate_authentication_options(
        rp_id=party.id,
        challenge=challenge,
        timeout=TIMEOUT,
        allow_credentials=descriptors(known),
        user_verification=UserVerificationRequirement.REQUIRED,
    )
    return options_to_json_dict(options)


def descriptors(known: Sequence[Known]) -> "list[PublicKeyCredentialDescriptor]":
    from webauthn.helpers.structs import AuthenticatorTransport, PublicKeyCredentialDescriptor

    return [
        PublicKeyCredentialDescriptor(
            id=passkey.credential_id, transports=[AuthenticatorTransport(name) for name in passkey.transports]
        )
        for passkey in known
    ]
