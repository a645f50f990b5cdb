"""Teams: agents who serve the same sessions.

Owns the teams and who is in them. Which session belongs to one, and what that opens, is for
`sessions` to say.
"""
