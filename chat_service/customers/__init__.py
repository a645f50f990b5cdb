"""Persons served: made for an inbox, with a token of their own and its refresh.

Owns the customer's row, the family of tokens, and which proof of who he is is believed. Leaves what an
identity opens to `intake`, and the checking of tokens to `auth`.
"""
