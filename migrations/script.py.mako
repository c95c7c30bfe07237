"""${message}

Why:
"""
<%!
    # The release before this one goes on serving while this runs, and may be rolled back to afterwards: add with a
    # default, drop only what no code maps any more, and never hold a lock on a big table.

    def steps(rendered):
        """Without the lines in which Alembic says that it wrote them."""
        lines = [line for line in (rendered or "pass").splitlines() if "# ###" not in line]
        return "\n".join(lines).strip()
%>
import sqlalchemy as sa
from alembic import op
${imports if imports else ""}
revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
branch_labels = ${repr(branch_labels)}
depends_on = ${repr(depends_on)}


def upgrade() -> None:
    ${steps(upgrades)}


def downgrade() -> None:
    ${steps(downgrades)}
