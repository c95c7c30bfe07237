"""What this process does little of at once, such as decoding photos, when it is at as much as it may do."""


class Busy(Exception):
    """Try again in a few seconds. Nothing was changed."""
