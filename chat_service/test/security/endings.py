"""Every way in which what somebody came by ends before its time: whose it is, and what ends it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final
from uuid import UUID

import httpx2

from chat_service.schema import Role
from chat_service.test.agents.lives import CHOSEN, enter, join, person_of
from chat_service.test.builders import PASSWORD, Json, Person, Workspace
from chat_service.test.sessions.calls import act, waiting


@dataclass(frozen=True)
class Case:
    """Somebody with a chat of his, and an act by which his token opens nothing any more."""

    who: Person
    session_id: str
    end: Callable[[], Awaitable[httpx2.Response]]
    close: int = 4506
    """The code by which his sockets are closed."""


Ending = Callable[[Workspace, Person], Awaitable[Case]]


async def _claimed(workspace: Workspace, who: Person) -> str:
    session_id = await waiting(await workspace.customer())
    await act(who, session_id, "claim")
    return session_id


async def _of_agent(
    workspace: Workspace, act_on: Callable[[Person], Callable[[], Awaitable[httpx2.Response]]]
) -> Case:
    bob = await workspace.agent()
    return Case(bob, await _claimed(workspace, bob), act_on(bob))


async def _by_himself(workspace: Workspace, method: str, path: str, body: Json | None) -> Case:
    """He ends his other logins: that of the telephone he lost."""
    bob = await workspace.agent()
    lost = person_of(workspace, await enter(workspace, bob))
    session_id = await _claimed(workspace, bob)
    return Case(lost, session_id, lambda: bob.call(method, path, json=body))


async def deactivated(workspace: Workspace, boss: Person) -> Case:
    """He leaves, and what he held is given back."""
    return await _of_agent(
        workspace, lambda bob: lambda: boss.post(f"/v1/agents/{bob.id}/deactivate")
    )


async def given_another_role(workspace: Workspace, boss: Person) -> Case:
    """He may do something else from now on."""
    body = {"role": str(Role.VIEWER)}
    return await _of_agent(
        workspace, lambda bob: lambda: boss.call("PATCH", f"/v1/agents/{bob.id}", json=body)
    )


async def signed_out_by_another(workspace: Workspace, boss: Person) -> Case:
    """Who manages agents ends all his logins."""
    return await _of_agent(
        workspace, lambda bob: lambda: boss.call("DELETE", f"/v1/agents/{bob.id}/logins")
    )


async def signed_out(workspace: Workspace, boss: Person) -> Case:
    """He goes home."""
    return await _of_agent(workspace, lambda bob: lambda: bob.post("/v1/auth/sign-out"))


async def recovered(workspace: Workspace, boss: Person) -> Case:
    """He forgot his password and chooses another one, by a link."""
    bob = await workspace.agent()
    link = (await boss.post(f"/v1/agents/{bob.id}/link")).json()["link"]["token"]
    return Case(bob, await _claimed(workspace, bob), lambda: join(workspace, link))


async def given_another_password(workspace: Workspace, boss: Person) -> Case:
    """He changes it himself, at another login."""
    body = {"old_password": PASSWORD, "password": CHOSEN}
    return await _by_himself(workspace, "POST", "/v1/agents/me/password", body)


async def signed_out_everywhere(workspace: Workspace, boss: Person) -> Case:
    """He ends all his other logins."""
    return await _by_himself(workspace, "DELETE", "/v1/agents/me/logins", None)


async def key_revoked(workspace: Workspace, boss: Person) -> Case:
    """A program may do nothing any more."""
    key = await workspace.key()
    session_id = await waiting(await workspace.customer())
    path = f"/v1/api-keys/{UUID(key.id)}"
    return Case(key, session_id, lambda: boss.call("DELETE", path))


async def customer_blocked(workspace: Workspace, boss: Person) -> Case:
    """A customer who may not chat."""
    ada = await workspace.customer()
    path = f"/v1/customers/{ada.id}/block"
    return Case(ada, await waiting(ada), lambda: boss.post(path), close=4503)


async def customer_signed_out(workspace: Workspace, boss: Person) -> Case:
    """A customer who leaves a computer that others use too."""
    ada = await workspace.customer()
    return Case(ada, await waiting(ada), lambda: ada.post("/v1/auth/sign-out"))


ENDINGS: Final[dict[str, Ending]] = {
    ending.__name__.replace("_", " "): ending
    for ending in (
        deactivated,
        given_another_role,
        given_another_password,
        recovered,
        signed_out,
        signed_out_everywhere,
        signed_out_by_another,
        key_revoked,
        customer_blocked,
        customer_signed_out,
    )
}
