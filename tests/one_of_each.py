"""A pytest plugin, `-p tests.one_of_each`: of each parametrized test its first case alone, but for those of migrations.

For another version of PostgreSQL, or another schema, under the same code. What these may answer in another way depends
on the statement; the cases of a test differ in the values.
"""

import pytest

EVERY_CASE = "tests/online_migrations/"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    seen: set[str] = set()
    kept: list[pytest.Item] = []
    left_out: list[pytest.Item] = []
    for item in items:
        test = item.nodeid.partition("[")[0]
        is_further_case = test in seen and not test.startswith(EVERY_CASE)
        (left_out if is_further_case else kept).append(item)
        seen.add(test)
    config.hook.pytest_deselected(items=left_out)
    items[:] = kept
