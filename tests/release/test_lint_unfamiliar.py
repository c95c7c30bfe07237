"""Lint's last rule: a statement that nobody has thought about is a finding, and one of every day is not."""

from pathlib import Path

import pytest

from tests.release.history import all_findings

UNFAMILIAR = (
    "LOCK TABLE todos IN ACCESS EXCLUSIVE MODE",
    "SELECT pg_sleep(3)",
    "CREATE TRIGGER t BEFORE INSERT ON todos FOR EACH ROW EXECUTE FUNCTION nothing()",
    "CREATE RULE r AS ON INSERT TO todos DO INSTEAD NOTHING",
    "CREATE FUNCTION f() RETURNS void LANGUAGE sql AS 'DELETE FROM todos'",
    "CALL f()",
    "ALTER TABLE todos ENABLE ROW LEVEL SECURITY",
    "ALTER TABLE todos DISABLE TRIGGER ALL",
    "ALTER SYSTEM SET work_mem = 1",
    "ALTER SEQUENCE todos_id_seq RESTART",
    "REVOKE ALL ON todos FROM public",
    "COPY todos FROM PROGRAM 'true'",
    "EXPLAIN ANALYZE DELETE FROM todos",
    "PREPARE p AS DELETE FROM todos",
    "REFRESH MATERIALIZED VIEW m",
    "SET lock_timeout = 0",
    "DROP SCHEMA public CASCADE",
    "DROP OWNED BY semicircle",
)


@pytest.mark.parametrize("statement", UNFAMILIAR)
def test_what_nobody_has_thought_about_is_found(tmp_path: Path, statement: str) -> None:
    assert "unfamiliar" in [finding.rule for finding in all_findings(tmp_path, f'op.execute("{statement}")')]


def test_what_is_hidden_from_print_is_found(tmp_path: Path) -> None:
    steps = 'op.get_context().as_sql or op.get_bind().execute(sa.text("TRUNCATE todos"))'
    assert [finding.rule for finding in all_findings(tmp_path, steps)] == ["hidden-when-printed"]
