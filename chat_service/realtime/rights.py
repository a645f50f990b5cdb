"""What changes what somebody may see: rows of the log, and another token. Pure.

A session that moves is looked at again by who listens to it; of whom the rights themselves changed,
the connections are closed with 4003, and a list of his is begun anew.
"""

from collections.abc import Iterable
from typing import Any, Final

from chat_service.auth import Caller
from chat_service.realtime import closes
from chat_service.realtime.closes import Close
from chat_service.schema import Cursor, TokenKind

SIGHT: Final = frozenset({"assignee", "team_id"})
"""Of a session, what the right to see it goes by."""
STANDING: Final = SIGHT | {"status"}
"""And what besides decides in which views it is."""
REGRANTING: Final = frozenset({"role.updated", "team.updated"})
"""Rows that give agents other rights, and leave them signed in."""


def moves_sight(row: Any) -> bool:
    """Whether others may see a session after a row than before it."""
    return bool(SIGHT & row.data.get("changes", {}).keys())


def is_move(row: Any) -> bool:
    """Whether a row gave its session another holder, team or status."""
    return bool(STANDING & row.data.get("changes", {}).keys())


def changes_rights(row: Any, caller: Caller) -> bool:
    """Whether a row gave an agent other rights and left him signed in."""
    if caller.kind is not TokenKind.AGENT:
        return False
    if row.type == "team.updated":
        return str(caller.actor.id) in row.data["agent_ids"]
    if row.type == "role.updated" and caller.role_id is not None:
        return row.data["role_id"] == str(caller.role_id) and "permissions" in row.data["changed"]
    return False


def had_other_rights(caller: Caller, after: Cursor, rows: Iterable[Any]) -> bool:
    """Whether a list made at a cursor may show what an agent may not see now, or lack what he may.

    `rows` are those behind it. At the very beginning nothing was shown.
    """
    return after.position > 0 and any(_separates(row, caller) for row in rows)


def _separates(row: Any, caller: Caller) -> bool:
    if caller.kind is TokenKind.AGENT and row.type == "agent.updated":
        is_own = row.data["agent_id"] == str(caller.actor.id)
        return is_own and bool({"role", "role_id"} & set(row.data["changed"]))
    return changes_rights(row, caller)


def change_of(old: Caller, new: Caller) -> Close | None:
    """Why a connection of one caller cannot go on as another's, if it cannot."""
    if _who(old) != _who(new):
        return closes.FORBIDDEN
    return closes.RIGHTS_CHANGED if old.rights != new.rights else None


def _who(caller: Caller) -> tuple[object, ...]:
    """A key is its token; people have one login after the other."""
    key = caller.token_id if caller.kind is TokenKind.KEY else None
    return caller.kind, caller.workspace_id, caller.actor, caller.inbox_id, key
