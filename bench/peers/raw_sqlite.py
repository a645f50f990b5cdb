"""What SQLite itself can do from Python: two INSERTs and a COMMIT a message, without HTTP.

`python -m bench.peers.raw_sqlite FILE WORKSPACE CUSTOMER SECONDS` writes messages with their events
of 10 000 random sessions into the service's own tables (WAL, synchronous=FULL, foreign keys, as the
service has them) and prints JSON: how many, in how many seconds, the latency of each in seconds, and
the CPU time in seconds.
"""

import json
import random
import sqlite3
import sys
import time
from datetime import UTC, datetime
from hashlib import sha256

from uuid_utils import uuid7

PRAGMAS = (
    "journal_mode=WAL",
    "synchronous=FULL",
    "secure_delete=ON",
    "foreign_keys=ON",
)
MESSAGE = """
INSERT INTO chat_messages (
    workspace_id, id, session_id, visibility, seq, public_seq, author_slot, author_type, author_id,
    client_message_id, fingerprint, content, metadata, public_metadata, version, created_at
) VALUES (?, ?, ?, 'public', ?, ?, 'customer', 'customer', ?, ?, ?, ?, '{}', '{}', 1, ?)
"""
EVENT = """
INSERT INTO chat_events (
    workspace_id, pos, session_id, audience, seq, public_seq, id, type, actor_type, actor_id,
    message_id, data, created_at
) VALUES (?, ?, ?, 'public', ?, ?, ?, 'message.created', 'customer', ?, ?, '{}', ?)
"""
CONTENT = json.dumps({"type": "text", "text": "Hello, where is my order?", "format": "plain"})
FINGERPRINT = sha256(CONTENT.encode()).digest()


def main(file: str, workspace: str, customer: str, seconds: str) -> None:
    db = sqlite3.connect(file, isolation_level=None)
    for pragma in PRAGMAS:
        db.execute(f"PRAGMA {pragma}")
    (last,) = db.execute("SELECT coalesce(max(pos), 0) FROM chat_events").fetchone()
    latencies = []
    began, used = time.perf_counter(), time.process_time()
    after, end = began, began + float(seconds)
    while after < end:
        before, last = after, last + 1
        write(db, workspace, customer, last)
        after = time.perf_counter()
        latencies.append(after - before)
    taken = {"seconds": after - began, "cpu": time.process_time() - used}
    print(json.dumps({"operations": len(latencies), "latencies": latencies, **taken}))


def write(db: sqlite3.Connection, workspace: str, customer: str, number: int) -> None:
    session = f"00000000000070008000{random.randint(1, 10_000):012}"
    message, at = uuid7().hex, datetime.now(UTC).isoformat(" ")
    db.execute("BEGIN IMMEDIATE")
    of_message = (customer, f"limit-{number}", FINGERPRINT, CONTENT, at)
    db.execute(MESSAGE, (workspace, message, session, number, number, *of_message))
    of_event = (message, customer, message, at)
    db.execute(EVENT, (workspace, number, session, number, number, *of_event))
    db.execute("COMMIT")


if __name__ == "__main__":
    main(*sys.argv[1:])
