"""What is said in sessions: send, read, edit, delete.

Owns the one way to write messages, `services.write`, which the lane calls with many drafts and
`intake` with one. Leaves the right to a session and its states to `sessions`.
"""
