"""Entry points of sites: their keys, their rules, and the origins whose pages may use them.

Leaves the check of an origin to `origins`, and the customers who begin there to `customers`.
"""
