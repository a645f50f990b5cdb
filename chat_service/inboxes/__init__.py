"""Entry points of sites: their keys and the origins whose pages may use them."""
