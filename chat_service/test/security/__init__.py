"""Tests that hold the security promises: who may do what, and what attackers tried elsewhere."""
