"""How often callers may do what: one limiter, and the named policies that are made of it.

Owns the buckets, which are memory of this process and of nobody else, and their words: the problem and the
fields of answers. Leaves who is counted to whoever asks, and tries at signing in, which are rows, to `agents`.
"""
