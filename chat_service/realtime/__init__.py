"""Live delivery: WebSocket, SSE and long-poll, and what is said beside the log.

Owns connections and what they are told. Which events come, and that none is missed or doubled, is
for `events.feed` to say; what an event looks like, for `views`.
"""
