"""Sign-in by another site (OpenID Connect): the way there and back, its tokens, and whose account it is.

Leaves the login that comes of it to `logins` and the counting of tries to `attempts`.
"""
