"""`chat-service rotate-secret`: give an inbox a new shared secret, beside the one it has."""

import sys

import click
from sqlalchemy.ext.asyncio import AsyncSession

from chat_service.audit.services import NOBODY
from chat_service.cli.database import run
from chat_service.config import load_config
from chat_service.errors import NotFound
from chat_service.events.transaction import transaction
from chat_service.inboxes import queries as inboxes
from chat_service.inboxes.signing import keys
from chat_service.model import Inbox
from chat_service.schema import utc_now
from chat_service.tokens import Keys, load_secret_key
from chat_service.workspaces import queries as workspaces


@click.command()
@click.option("--inbox", required=True, help="Its public key, `ib_…`.")
@click.option("--workspace", help="The slug of its workspace, to be sure.")
def command(inbox: str, workspace: str | None) -> None:
    """Make a key (HS256) for the host site of an inbox and print its `kid` and its secret.

    Two keys are live then: the new one and the newest there was. Change the site over, and it is
    never without a good one.
    """
    config = load_config()

    async def rotate() -> str:
        async with transaction() as db:
            found = await _find(db, inbox, workspace)
            made = await keys.rotate(
                db,
                found.workspace_id,
                found.id,
                keys=Keys(load_secret_key(config.auth)),
                actor=NOBODY,
                now=utc_now(),
            )
        return f"kid: {made[0].id.hex}\nsecret: {made[1]}"

    print(run(config, rotate))


async def _find(db: AsyncSession, key: str, slug: str | None) -> Inbox:
    try:
        found = await inboxes.access(db, key, None)
    except NotFound:
        sys.exit("no such inbox: give its public key, which begins with ib_")
    tenant = await workspaces.by_slug(db, slug) if slug is not None else None
    if slug is not None and (tenant is None or tenant.id != found.workspace_id):
        sys.exit("the inbox is not in that workspace")
    return found
