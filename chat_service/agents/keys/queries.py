"""Find API keys."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from chat_service.errors import NotFound
from chat_service.model import Token
from chat_service.schema import TokenKind, WorkspaceId

KEYS: Final = 1_000
"""How many that are not revoked a workspace may have; as many are listed."""


async def access(db: AsyncSession, workspace_id: WorkspaceId, key_id: UUID) -> Token:
    """A key of a workspace; raises NotFound."""
    key = await db.scalar(select(Token).where(*_of(workspace_id), Token.id == key_id))
    if key is None:
        raise NotFound()
    return key


async def every(db: AsyncSession, workspace_id: WorkspaceId) -> Sequence[Token]:
    """The keys of a workspace, living ones first, newest first; at most `KEYS`."""
    order = (Token.revoked_at.is_not(None), Token.created_at.desc(), Token.id.desc())
    query = select(Token).where(*_of(workspace_id)).order_by(*order).limit(KEYS)
    return (await db.scalars(query)).all()


async def count(db: AsyncSession, workspace_id: WorkspaceId) -> int:
    """How many keys of a workspace are not revoked."""
    living = (*_of(workspace_id), Token.revoked_at.is_(None))
    return await db.scalar(select(func.count()).select_from(Token).where(*living)) or 0


def _of(workspace_id: WorkspaceId) -> tuple[ColumnElement[bool], ...]:
    # No customer: that is what an index finds them by, among any number of customers' tokens.
    return (
        Token.workspace_id == workspace_id,
        Token.customer_id.is_(None),
        Token.kind == TokenKind.KEY,
    )
