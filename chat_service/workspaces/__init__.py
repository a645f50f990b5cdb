"""Tenants: made with the head of their log, found by slug. Leaves what is in them to other folders."""
