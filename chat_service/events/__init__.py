"""What happened: the one log, the two doors to the database, and the group commit.

Owns numbering, the lock on `feed_head` and the commit. Knows no domain: sessions, messages and
agents record their events here and never append by themselves.
"""
