"""${message}

Why:
"""
<%!
    import re

    def uses(name, *rendered):
        return any(re.search(rf"\b{name}\.", text or "") for text in rendered)

    def steps(rendered):
        """Without the lines in which Alembic says that it wrote them."""
        lines = [line for line in (rendered or "pass").splitlines() if "# ###" not in line]
        return "\n".join(lines).strip()
%>
% if uses("sa", upgrades, downgrades) or not upgrades:
import sqlalchemy as sa
% endif
% if uses("op", upgrades, downgrades):
from alembic import op
% endif
% if imports:

${imports}
% endif

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
% if branch_labels:
branch_labels = ${repr(branch_labels)}
% endif
% if depends_on:
depends_on = ${repr(depends_on)}
% endif
# "expand": the previous release, which is live while this runs, works on what it leaves. "contract": it does not.
phase = ${repr(context.get("phase", "expand"))}


def upgrade() -> None:
    ${steps(upgrades)}


def downgrade() -> None:
    ${steps(downgrades)}
