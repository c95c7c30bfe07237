"""Try what a stranger can, against a site that this command starts: fuzzing, replays, races, hostile files."""
