"""Questions to the catalog, each an SQL statement with one boolean. A condition is one over the catalog's table."""


def exists(query: str) -> str:
    return f"SELECT EXISTS ({query})"


def lacks(query: str) -> str:
    return f"SELECT NOT EXISTS ({query})"


def relation(name: str, condition: str = "true") -> str:
    """Find a table, view, index or sequence."""
    return f"SELECT FROM pg_class WHERE oid = to_regclass('{name}') AND {condition}"


def column(table: str, name: str, condition: str = "true") -> str:
    there = f"attrelid = to_regclass('{table}') AND attname = '{name}' AND NOT attisdropped"
    return f"SELECT FROM pg_attribute WHERE {there} AND {condition}"


def column_type(table: str, name: str, type_: str) -> str:
    return column(table, name, f"format_type(atttypid, atttypmod) = '{type_}'")


def constraint(table: str, name: str, condition: str = "true") -> str:
    return f"SELECT FROM pg_constraint WHERE conrelid = to_regclass('{table}') AND conname = '{name}' AND {condition}"


def index(name: str, condition: str = "indisvalid") -> str:
    return f"SELECT FROM pg_index WHERE indexrelid = to_regclass('{name}') AND {condition}"


def function(name: str) -> str:
    return f"SELECT FROM pg_proc WHERE proname = '{name}'"


def trigger(table: str, name: str, condition: str = "tgenabled = 'O'") -> str:
    return f"SELECT FROM pg_trigger WHERE tgrelid = to_regclass('{table}') AND tgname = '{name}' AND {condition}"


def type_(name: str) -> str:
    return f"SELECT FROM pg_type WHERE oid = to_regtype('{name}')"


def comment(table: str, said: str) -> str:
    return f"SELECT obj_description(to_regclass('{table}'), 'pg_class') IS NOT DISTINCT FROM '{said}'"


def is_rewritten(name: str) -> str:
    """Compare the file of a table or index with its number, which it begins with."""
    return f"SELECT relfilenode <> oid FROM pg_class WHERE oid = '{name}'::regclass"


def rows(table: str, condition: str, at_least: int = 1) -> str:
    return f"SELECT count(*) >= {at_least} FROM {table} WHERE {condition}"


def no_rows(table: str) -> str:
    return lacks(f"SELECT FROM {table}")
