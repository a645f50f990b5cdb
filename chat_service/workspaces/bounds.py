"""How many of a kind a workspace may have, and that names are taken once."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from chat_service.errors import NameTaken, TooMany

AT_MOST: Final = 1_000
"""Roles and teams of a workspace, and members of a team: lists of them have no pages."""


async def require_room(db: AsyncSession, entity: Any, *which: Any) -> None:
    """Refuse one more row where there are as many as there may be; raises TooMany."""
    query = select(func.count()).select_from(entity).where(*which)
    if (await db.scalars(query)).one() >= AT_MOST:
        raise TooMany(f"There may be {AT_MOST:,} at most")


@asynccontextmanager
async def naming(db: AsyncSession) -> AsyncIterator[None]:
    """Write what has a name; raises NameTaken where another of its kind has it."""
    try:
        yield
        await db.flush()
    except IntegrityError:
        raise NameTaken() from None
