"""Tests that break things, and the checks of what must hold however they broke."""
