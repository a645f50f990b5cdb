"""`chat-service export-audit`: write down who did what."""

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import aclosing, contextmanager
from pathlib import Path
from typing import BinaryIO, Final

import click

from chat_service.agents.attempts import NOWHERE
from chat_service.audit import services as audit
from chat_service.audit.acts import Act
from chat_service.audit.listing import every_entry
from chat_service.audit.services import NOBODY
from chat_service.cli.database import run
from chat_service.config import load_config
from chat_service.events.transaction import transaction
from chat_service.schema import WorkspaceId, utc_now
from chat_service.workspaces import queries as workspaces
from chat_service.workspaces.rendering import entry_view

PRIVATE: Final = 0o600


@click.command()
@click.argument("file")
@click.option("--workspace", help="Its slug; without it the entries of all, one after the other.")
def command(file: str, workspace: str | None) -> None:
    """Write the audit log to FILE, or with `-` to standard output, as a JSON object a line.

    A workspace's entries come oldest first. FILE must not exist; only its owner may read it. That
    there was an export is an entry too, and the last one of it.
    """
    config = load_config()
    with _opened(file) as out:
        run(config, lambda: _export(workspace, out))


async def _export(slug: str | None, out: BinaryIO) -> None:
    for workspace_id in await _announced(slug):
        async with aclosing(every_entry(workspace_id)) as entries:
            async for entry in entries:
                out.write(entry_view(entry).model_dump_json().encode() + b"\n")
    out.flush()


async def _announced(slug: str | None) -> Sequence[WorkspaceId]:
    """The workspaces whose entries leave, after each was told so; an export may be cut short."""
    async with transaction() as db:
        if slug is None:
            # Tries at workspaces that do not exist are noted as well, and belong to nobody.
            places = [NOWHERE, *await workspaces.every_id(db)]
        else:
            found = await workspaces.by_slug(db, slug)
            if found is None:
                sys.exit("no such workspace")
            places = [found.id]
        for workspace_id in places:
            audit.record(db, workspace_id, NOBODY, Act.AUDIT_EXPORTED, now=utc_now())
    return places


@contextmanager
def _opened(file: str) -> Iterator[BinaryIO]:
    """A new file, which is removed again where the export fails; or standard output."""
    if file == "-":
        yield sys.stdout.buffer
        return
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE)
    except OSError as error:
        sys.exit(f"{file}: {error.strerror}")
    with os.fdopen(descriptor, "wb") as out:
        try:
            yield out
        except BaseException:
            Path(file).unlink()
            raise
