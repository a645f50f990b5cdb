"""Persons served: made for an inbox, with a token of their own and its refresh.

Owns the customer's row and the family of tokens. Leaves the checking of tokens to `auth`.
"""
