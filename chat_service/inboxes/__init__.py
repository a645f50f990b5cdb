"""Entry points of sites: their public keys, the origins whose pages may use them, and what they sign with."""
