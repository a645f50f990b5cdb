"""Where the workers of a parent share what they count: a folder, and a place of each in it.

Owns the folder's life. What stands in its files is the business of `metrics` and its library.
"""

import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from prometheus_client.multiprocess import mark_process_dead

from chat_service.metrics import FOLDER, WORKER

IN_MEMORY: Final = Path("/dev/shm")
PREFIX: Final = "chat-metrics-"
YOUNG_SECONDS: Final = 60.0
"""A folder younger than this may belong to a parent that is about to lock it."""


@contextmanager
def shared_folder(place: Path | None = None) -> Iterator[str]:
    """A folder for the workers of this process until the block ends; `place` is where it is made."""
    if place is None:
        # A page of a file on a disk makes who writes it wait while the disk is busy with commits.
        in_memory = os.access(IN_MEMORY, os.W_OK)
        place = IN_MEMORY if in_memory else Path(tempfile.gettempdir())
    with tempfile.TemporaryDirectory(prefix=PREFIX, dir=place) as folder, _locked(Path(folder)):
        _remove_deserted(place)
        yield folder


def variables_of(worker: int, folder: str) -> dict[str, str]:
    """What a worker must find in its environment before it imports `metrics`."""
    return {FOLDER: folder, WORKER: str(worker)}


def forget(worker: int, folder: str) -> None:
    """A worker has ended: what it counted stays, what was true of it is no longer."""
    mark_process_dead(worker, path=folder)  # type: ignore[no-untyped-call]


def _remove_deserted(place: Path) -> None:
    """Remove the folders of parents that were killed before they could."""
    for folder in place.glob(f"{PREFIX}*"):
        with suppress(OSError):
            if time.time() - folder.stat().st_mtime > YOUNG_SECONDS:
                with _locked(folder):
                    shutil.rmtree(folder)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold a folder, as long as this process lives; raises OSError where another does."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(descriptor)
