"""Records on disk: written whole or not at all, found by an index, one run at a time."""
