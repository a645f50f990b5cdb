"""The promises of the protocol, each by its name, against SQLite and PostgreSQL."""
