"""Who did what: one entry for each privileged act, each sign-in, and each that was refused.

Owns how an entry is written, in the transaction of the act, and how entries are read. No code
changes or removes one. Reading a chat is in the access log, not here.
"""
