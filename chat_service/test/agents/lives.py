"""What tests of agents' accounts do again and again, in a word each."""

from collections.abc import Collection
from dataclasses import dataclass
from itertools import count
from typing import Any, Final

import httpx2
import pyotp
from sqlalchemy import select

from chat_service.app import Service
from chat_service.events.transaction import reading
from chat_service.model import AuditEntry
from chat_service.schema import Clock, WorkspaceId
from chat_service.test.builders import PASSWORD, Json, Person, Workspace

CHOSEN: Final = "a staple that was chosen"
"""Another good password."""
_numbers = count(1)


def new_address() -> str:
    """An address from which nobody has tried anything yet."""
    number = next(_numbers)
    return f"2001:db8:{number >> 16:x}:{number & 0xFFFF:x}::1"


async def ask(
    service: Service, path: str, body: Json, address: str = "", **rest: Any
) -> httpx2.Response:
    """A request of somebody who has no token, from an address of his own."""
    place = (address or new_address(), 40_000)
    app = httpx2.ASGITransport(app=service, client=place, raise_app_exceptions=False)
    async with httpx2.AsyncClient(transport=app, base_url="http://test") as client:
        return await client.post(path, json=body, **rest)


async def join(
    workspace: Workspace, token: str, address: str = "", **fields: Any
) -> httpx2.Response:
    """Use a link."""
    body = {"token": token, "password": CHOSEN, **fields}
    return await ask(workspace.service, "/v1/auth/links", body, address)


async def enter(
    workspace: Workspace, agent: Person | str, address: str = "", **fields: Any
) -> httpx2.Response:
    """Sign in, from an address of one's own."""
    email = agent if isinstance(agent, str) else email_of(agent)
    body = {"email": email, "password": PASSWORD, "workspace": workspace.slug, **fields}
    return await ask(workspace.service, "/v1/auth/sign-in", body, address)


def email_of(agent: Person) -> str:
    """What an agent signs in with."""
    email: str = agent.details["agent"]["email"]
    return email


def person_of(workspace: Workspace, response: httpx2.Response) -> Person:
    """Whoever was let in by an answer."""
    assert response.status_code == 200, response.text
    told = response.json()
    return Person(workspace.client, told["access_token"], told["agent"]["id"], told)


async def works(person: Person) -> bool:
    """Whether somebody's token opens anything."""
    status = (await person.get("/v1/sessions")).status_code
    assert status in (200, 401)
    return status == 200


def told_of(response: httpx2.Response) -> tuple[int, Json, Collection[str]]:
    """All that an answer tells, but for the id of the request."""
    told: Json = response.json() if response.content else {}
    shown = {name: value for name, value in told.items() if name != "request_id"}
    return response.status_code, shown, sorted(response.headers)


def code_of(response: httpx2.Response) -> tuple[int, str]:
    """The status and the code of a refusal."""
    return response.status_code, response.json().get("code", "")


@dataclass(frozen=True)
class Entry:
    """What stands in the audit log of an act."""

    action: str
    outcome: str
    actor_id: str | None
    target_id: str | None
    fields: list[str]
    has_token: bool


async def audited(
    workspace: Workspace, *actions: str, where: WorkspaceId | None = None
) -> list[Entry]:
    """The entries of some acts, oldest first."""
    query = select(AuditEntry).where(
        AuditEntry.workspace_id == (where or workspace.id), AuditEntry.action.in_(actions)
    )
    with workspace.service.database.bound():
        async with reading() as db:
            rows = (await db.scalars(query.order_by(AuditEntry.id))).all()
    return [
        Entry(
            row.action,
            row.outcome,
            str(row.actor_id) if row.actor_id else None,
            row.target_id,
            row.fields,
            row.token_id is not None,
        )
        for row in rows
    ]


@dataclass(frozen=True)
class Factor:
    """The second factor of somebody: his authenticator, and his recovery codes."""

    secret: str
    recovery_codes: list[str]
    clock: Clock

    def code(self, steps: int = 0) -> str:
        """What the authenticator shows now, or some steps from now."""
        return code_at(self.secret, self.clock, steps)


def code_at(secret: str, clock: Clock, steps: int = 0) -> str:
    """The code of a secret, some steps from now."""
    return str(pyotp.TOTP(secret).generate_otp(int(clock().timestamp()) // 30 + steps))


async def protect(workspace: Workspace, agent: Person) -> Factor:
    """Set a second factor, by a code of the step before the present one."""
    clock = workspace.service.clock
    begun = await agent.post("/v1/agents/me/second-factor", {"password": PASSWORD})
    assert begun.status_code == 201, begun.text
    secret = begun.json()["secret"]
    code = {"code": code_at(secret, clock, -1)}
    confirmed = await agent.post("/v1/agents/me/second-factor/confirm", code)
    assert confirmed.status_code == 200, confirmed.text
    return Factor(secret, confirmed.json()["recovery_codes"], clock)
