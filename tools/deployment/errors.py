"""Name what stops a deploy or a rollback."""


class DeployError(Exception):
    """Go no further. The message says what happened and what to do."""
