"""What happened: the one log, the two doors to the database, the group commit, the live readers.

Owns numbering, the lock on `feed_head`, the commit, and who is told of what was committed. Knows no
domain: sessions, messages and agents record their events here and never append by themselves.
"""
