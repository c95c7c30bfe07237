"""What stops a deploy or a rollback."""


class DeployError(Exception):
    """It goes no further. The message says what happened and what to do."""
