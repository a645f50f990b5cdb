"""API keys, which stand for programs: made, listed and revoked by agents.

Leaves the checking of a key to `auth`. A bot is a key with the permissions of that role.
"""
