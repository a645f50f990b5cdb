"""Tenants: made with the head of their log, found by slug, and what each was done in.

Owns a workspace's name and its log of who did what over HTTP. Leaves how entries are written and
found to `audit`, what else is in a workspace to other folders, and its first owner to `agents`.
"""
