"""Find API keys."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import ColumnElement, select
from sqlalchemy.ext.asyncio import AsyncSession

from chat_service.errors import NotFound
from chat_service.model import Token
from chat_service.schema import TokenKind, WorkspaceId
from chat_service.workspaces.bounds import AT_MOST


async def access(db: AsyncSession, workspace_id: WorkspaceId, key_id: UUID) -> Token:
    """A key of a workspace; raises NotFound."""
    key = await db.scalar(select(Token).where(*_of(workspace_id), Token.id == key_id))
    if key is None:
        raise NotFound()
    return key


async def every(db: AsyncSession, workspace_id: WorkspaceId) -> Sequence[Token]:
    """The keys of a workspace, living ones first, newest first; as many as may live."""
    order = (Token.revoked_at.is_not(None), Token.created_at.desc(), Token.id.desc())
    query = select(Token).where(*_of(workspace_id)).order_by(*order).limit(AT_MOST)
    return (await db.scalars(query)).all()


def living(workspace_id: WorkspaceId) -> tuple[ColumnElement[bool], ...]:
    """The keys of a workspace that are not revoked."""
    return (*_of(workspace_id), Token.revoked_at.is_(None))


def _of(workspace_id: WorkspaceId) -> tuple[ColumnElement[bool], ...]:
    # No customer: that is what an index finds them by, among any number of customers' tokens.
    return (
        Token.workspace_id == workspace_id,
        Token.customer_id.is_(None),
        Token.kind == TokenKind.KEY,
    )
