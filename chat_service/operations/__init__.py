"""What operators and integrators meet first: health, the API's documents, the problem pages.

Knows no resource of the domains.
"""
