"""Chat sessions: who may see them, their states and moves, their lists.

Owns the right to a session (`access`, `visible_to`), the lifecycle and the participants. Leaves what
is said in them to `messages`, how they begin to `intake`.
"""
