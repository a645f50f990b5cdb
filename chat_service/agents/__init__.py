"""Staff: who they are, how they sign in, and the keys of programs that act beside them.

Owns passwords, tries at signing in, agents' tokens and API keys. Leaves the checking of tokens to
`auth`.
"""
