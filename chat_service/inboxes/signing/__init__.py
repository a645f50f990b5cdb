"""Keys by which the host site of an inbox signs for its visitors.

Leaves what is signed with them to `customers.identity`.
"""
