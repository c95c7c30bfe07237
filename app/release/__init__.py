"""Where the library of the migrations was: revisions that ran import its operations from here."""
