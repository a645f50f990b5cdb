"""Read marks that are written in the background, one commit for many."""

from uuid import UUID

from structlog.testing import capture_logs

from chat_service.realtime.receipts import Receipts
from chat_service.schema import Actor, AuthorType, SessionId, new_id, utc_now
from chat_service.sessions.marks import Mark, Place, Point
from chat_service.test.builders import Workspace

NO_NUMBER = 2**70


def mark(workspace: Workspace, session_id: str, seq: int) -> Mark:
    """Of an agent who has read that far."""
    point = Point(seq, seq)
    reader = Actor(AuthorType.AGENT, new_id())
    return Mark(workspace.id, SessionId(UUID(session_id)), reader, point, point)


async def test_a_mark_that_cannot_be_written_takes_no_other_along(workspace: Workspace) -> None:
    customer = await workspace.customer()
    session_id = (await customer.start())["session"]["id"]
    written: list[Place] = []
    receipts = Receipts(utc_now, written.append)
    for number in range(7):
        receipts.note(mark(workspace, session_id, NO_NUMBER if number == 3 else 1))
    with capture_logs() as logs:
        with workspace.service.database.bound():
            await receipts.flush()
    assert len(written) == 6
    assert [log["event"] for log in logs if log["log_level"] == "error"] == ["mark_lost"]
