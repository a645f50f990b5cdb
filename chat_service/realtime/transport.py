"""Wire models of live delivery over HTTP: what has changed in the agents' list."""

from uuid import UUID

from pydantic import Field

from chat_service.schema import View
from chat_service.sessions.transport import StaffSession
from chat_service.transport import Query, Response


class ChangesQuery(Query):
    """What changed behind `after`: the `feed_cursor` of a list, or the last page's `next_cursor`."""

    after: str | None = Field(default=None, max_length=512)
    view: View = "all"
    limit: int = Field(default=50, ge=1, description="How many sessions at most; 200 if larger.")
    wait: float = Field(
        default=0, ge=0, description="How many seconds to wait for a change, at most 25."
    )


class ChangesPage(Response):
    """Sessions of the view that changed, as they are now, and the ids of those that left it.

    A view holds the sessions that are not closed. Apply a session by its `id` and keep the higher
    `version`; an id in `removed` may be one you never had. Read on from `next_cursor`.
    """

    changed: list[StaffSession]
    removed: list[UUID]
    next_cursor: str
    has_more: bool
