"""What papers claim, held against records."""
