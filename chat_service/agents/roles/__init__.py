"""Roles: those built in, and those of a workspace's own, each any set of permissions.

Owns that nobody gives what he does not have. Leaves which agent has which role to `agents`.
"""
