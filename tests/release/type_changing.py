"""Tables with whatever may stand on a column whose type changes."""

# `size` has one of everything that may stand on a column; `id` is a key that others refer to.
SCHEMA = """
CREATE TABLE sizes (size int PRIMARY KEY, name text);
CREATE TABLE things (
    id int GENERATED ALWAYS AS IDENTITY (START WITH 5 INCREMENT BY 2) PRIMARY KEY,
    name varchar(50) NOT NULL,
    size int NOT NULL DEFAULT 3 CONSTRAINT ck_things_size CHECK (size < 100 AND name <> 'size'),
    code int CONSTRAINT uq_things_code UNIQUE DEFERRABLE,
    parent_id int CONSTRAINT fk_things_parent REFERENCES things (id) ON DELETE SET NULL,
    CONSTRAINT uq_things_size_name UNIQUE (size, name),
    CONSTRAINT fk_things_size FOREIGN KEY (size) REFERENCES sizes (size) ON UPDATE CASCADE ON DELETE CASCADE
);
COMMENT ON COLUMN things.size IS 'how it''s sized';
CREATE INDEX ix_things_size ON things USING hash (size);
CREATE INDEX ix_part ON things (name, (size + 1) DESC) INCLUDE (code) WHERE size > 2;
CREATE TABLE parts (
    id bigserial PRIMARY KEY, thing_id int CONSTRAINT fk_parts_things REFERENCES things ON DELETE CASCADE
);
CREATE TABLE tickets (id serial PRIMARY KEY);
INSERT INTO sizes SELECT n, 'size' FROM generate_series(0, 20) n;
INSERT INTO things (name, size, code) SELECT 'thing ' || n, n % 10, n FROM generate_series(1, 500) n;
UPDATE things SET parent_id = id - 2 WHERE id > 5;
INSERT INTO parts (thing_id) SELECT id FROM things;
INSERT INTO tickets SELECT FROM generate_series(1, 3);
"""
