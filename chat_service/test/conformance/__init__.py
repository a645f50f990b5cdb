"""The promises of the protocol, each by its name, on SQLite, PostgreSQL with NOTIFY, and NATS."""
