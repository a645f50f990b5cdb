"""A customer arrives: who he is, then a session begins, with its first message, in one transaction.

Owns how a visitor becomes whom his site vouches for, `POST /sessions` and the safe repeat of a start.
Leaves the session's later life to `sessions`.
"""
