"""A workspace begins with an empty log of its own."""

import pytest
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from chat_service.app import Service
from chat_service.model import FeedHead
from chat_service.schema import utc_now
from chat_service.test.builders import Workspace, unique, writing
from chat_service.workspaces import services


async def test_a_new_workspace_has_its_log_from_the_first_moment(service: Service) -> None:
    async with writing(service) as db:
        made = await services.create(db, slug=unique(), name="Test", now=utc_now())
    async with writing(service) as db:
        head = (await db.scalars(select(FeedHead).where(FeedHead.workspace_id == made.id))).one()
    assert (head.pos, head.last_id, head.floor) == (0, None, 0)


async def test_a_slug_is_taken_once(workspace: Workspace) -> None:
    with pytest.raises(IntegrityError):
        async with writing(workspace.service) as db:
            await services.create(db, slug=workspace.slug, name="Test", now=utc_now())
