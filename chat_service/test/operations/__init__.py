"""Tests of health, documents and pages."""
