"""What attackers find: a workspace with one of everything."""

import pytest

from chat_service.test.addresses import Stage, build_stage
from chat_service.test.builders import Workspace


@pytest.fixture
async def stage(workspace: Workspace) -> Stage:
    """A workspace of the test's own, with people and a session."""
    return await build_stage(workspace)
