"""The password policy: how long a password is, and which ones are too common. Pure.

There are no composition rules ("one digit, one capital"), as NIST SP 800-63B and ASVS 5.0 V6.2.5 advise.
"""

from functools import cache

MIN_LENGTH = 10  # code points; ASVS 5.0 V6.2.1 asks for at least 8 and advises more
MAX_LENGTH = 128


def is_common(password: str) -> bool:
    """Whether the password is on zxcvbn's list of 30,000 (ASVS 5.0 V6.2.4). Case does not matter."""
    return password.lower() in _common_passwords()


@cache
def _common_passwords() -> frozenset[str]:
    # Imported on first use: only a new password needs these 2 MB of lists.
    from zxcvbn.frequency_lists import FREQUENCY_LISTS

    return frozenset(word for word in FREQUENCY_LISTS["passwords"] if len(word) >= MIN_LENGTH)
