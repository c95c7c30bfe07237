"""Each operation once, with the table that it meets and what it leaves."""

from sqlalchemy.schema import CreateTable

from app.release.backfills.table import BACKFILLS
from app.release.sql.dialect import DIALECT
from tests.release.revision_corpus.cases import read_operations

TABLES = """
CREATE TABLE owners (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY);
CREATE TABLE things (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    owner_id bigint,
    name varchar(50) NOT NULL,
    size int CONSTRAINT ck_things_small CHECK (size < 10),
    "Odd name" int
);
CREATE INDEX ix_things_size ON things (size);
CREATE TYPE mood AS ENUM ('good', 'bad');
INSERT INTO owners SELECT FROM generate_series(1, 10);
INSERT INTO things (owner_id, name, "Odd name") SELECT n % 10 + 1, 'thing ' || n, n FROM generate_series(1, 3000) n;
"""
WITH_BACKFILLS = f"{TABLES}{CreateTable(BACKFILLS).compile(dialect=DIALECT)}"
CASES = read_operations("operations")
