"""Name what a deploy is refused with."""


class DeployError(Exception):
    """Refuse what cannot be done, and the live release serves on. The message is one sentence that says what to do."""
