"""Marks: comments in the database that say what a table or column is for, where no model does."""

RETIRED_COMMENT = "retired: no code reads or writes it any more; a later release drops it"
