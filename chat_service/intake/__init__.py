"""A customer arrives: a session begins, with its first message, in one transaction.

Owns `POST /sessions` and the safe repeat of a start. Leaves the session's later life to `sessions`.
"""
