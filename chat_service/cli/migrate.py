"""`chat-service migrate`: bring the database up to date."""

import asyncio
import sys

import click
from alembic.util import CommandError
from sqlalchemy.exc import SQLAlchemyError

from chat_service.config import load_config
from chat_service.model import migrations, open_engine


@click.command()
@click.option("--check", is_flag=True, help="Change nothing; fail where database and code differ.")
@click.option("--back-to", "to", help="Go back to a revision; `base` empties the database.")
def command(check: bool, to: str | None) -> None:
    """Bring the database up to date, or back to an older revision."""
    try:
        asyncio.run(_migrate(check, to))
    except (CommandError, SQLAlchemyError, OSError) as error:
        print(f"migration failed: {error}", file=sys.stderr)
        sys.exit(1)


async def _migrate(check: bool, to: str | None) -> None:
    # To wait for another one that migrates, or to rewrite a large table, takes what it takes.
    engine = open_engine(load_config().database, answer_seconds=None)
    try:
        if check:
            await migrations.check(engine)
        elif to is not None:
            await migrations.downgrade(engine, to)
        else:
            await migrations.upgrade(engine)
    finally:
        await engine.dispose()
    print("the database is up to date" if to is None else f"the database is at {to}")
