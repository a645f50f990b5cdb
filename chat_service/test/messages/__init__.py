"""Tests of what is said: decided as tables of cases, and sent, read and changed through HTTP."""
