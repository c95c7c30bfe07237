"""What a stranger can try, against a site that this command starts: fuzzing, replays, races, hostile files."""
