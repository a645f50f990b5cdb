"""What was acknowledged, on the disk before the next request: it would survive the driver as well."""

import json
import os
from dataclasses import asdict
from pathlib import Path
from uuid import UUID

from chat_service.test.faults.records import Send


class Acks:
    """A file with a line for each acknowledged send."""

    def __init__(self, path: Path) -> None:
        self.path = path
        # With O_DSYNC a write returns when the line is on the disk.
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_DSYNC, 0o600)
        self.count = 0

    def write(self, send: Send) -> None:
        """Keep an acknowledgement."""
        os.write(self._file, json.dumps(asdict(send), default=str).encode() + b"\n")
        self.count += 1

    def read(self) -> list[Send]:
        """All that was kept, from the file."""
        return [_send(line) for line in self.path.read_text().splitlines()]

    def close(self) -> None:
        """Let the file go."""
        os.close(self._file)


def _send(line: str) -> Send:
    fields = json.loads(line)
    for name in ("session_id", "message_id"):
        fields[name] = UUID(fields[name])
    return Send(**fields)
