"""Tests of the log, of the two doors to the database, and of the group commit."""
