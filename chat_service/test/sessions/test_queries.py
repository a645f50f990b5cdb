"""Who may see which session: the rule in SQL, the rule in Python, and the one door to sessions."""

from collections.abc import Collection
from dataclasses import dataclass
from uuid import UUID, uuid4

import httpx2
import pytest
from sqlalchemy import select

from chat_service.app import Service
from chat_service.auth import Caller
from chat_service.errors import NotFound
from chat_service.events.transaction import reading
from chat_service.model import ChatSession
from chat_service.schema import (
    Actor,
    AgentId,
    AuthorType,
    CustomerId,
    Permission,
    Role,
    TeamId,
    TokenId,
    TokenKind,
    WorkspaceId,
)
from chat_service.sessions import queries
from chat_service.test.agents.staffing import give_to, new_team
from chat_service.test.builders import Workspace, build_workspace, writing

P = Permission


@dataclass
class World:
    """Sessions of two workspaces, by name, and the people whose ids callers have."""

    workspace: Workspace
    sessions: dict[str, UUID]
    people: dict[str, UUID]
    strangers_workspace: WorkspaceId
    team: TeamId


@pytest.fixture
async def world(service: Service, client: httpx2.AsyncClient, workspace: Workspace) -> World:
    """Ada and Carl have sessions: waiting, held by Bob, held by Eve; a stranger has one elsewhere.

    Carl's belong to a team.
    """
    ada, carl = await workspace.customer("Ada"), await workspace.customer("Carl")
    bob, eve = await workspace.agent(name="Bob"), await workspace.agent(name="Eve")
    sessions = {}
    for name, customer in (("ada", ada), ("carl", carl)):
        for holder, agent in (("nobody", None), ("bob", bob), ("eve", eve)):
            session_id = (await customer.start())["session"]["id"]
            sessions[f"{name}/{holder}"] = UUID(session_id)
            if agent is not None:
                claimed = await agent.post(f"/v1/sessions/{session_id}/claim")
                assert claimed.status_code == 200, claimed.text
    boss = await workspace.agent(Role.ADMIN)
    team = await new_team(boss)
    for name in ("carl/nobody", "carl/bob", "carl/eve"):
        await give_to(boss, str(sessions[name]), team)
    elsewhere = await build_workspace(service, client)
    stranger = await elsewhere.customer()
    sessions["stranger/nobody"] = UUID((await stranger.start())["session"]["id"])
    people = {"ada": ada, "carl": carl, "bob": bob, "eve": eve, "stranger": stranger}
    ids = {name: UUID(person.id) for name, person in people.items()}
    return World(workspace, sessions, ids, elsewhere.id, TeamId(UUID(team)))


def staff(
    world: World, actor: str, permissions: Collection[Permission], *, in_team: bool = False
) -> Caller:
    """An agent, or with an actor of no name a key, of the workspace."""
    known = actor in world.people
    return Caller(
        kind=TokenKind.AGENT if known else TokenKind.KEY,
        workspace_id=world.workspace.id,
        token_id=TokenId(uuid4()),
        actor=Actor(
            AuthorType.AGENT if known else AuthorType.BOT, world.people.get(actor, uuid4())
        ),
        display_name=None,
        permissions=frozenset(permissions),
        teams=frozenset({world.team} if in_team else ()),
    )


def customer(world: World, name: str, workspace_id: WorkspaceId) -> Caller:
    """A customer, of the workspace his token names."""
    customer_id = CustomerId(world.people[name])
    return Caller(
        kind=TokenKind.CUSTOMER,
        workspace_id=workspace_id,
        token_id=TokenId(uuid4()),
        actor=Actor(AuthorType.CUSTOMER, customer_id),
        display_name=None,
        permissions=frozenset(),
        customer_id=customer_id,
    )


WAITING = {"ada/nobody", "carl/nobody"}
BOBS = {"ada/bob", "carl/bob"}
EVERYTHING = WAITING | BOBS | {"ada/eve", "carl/eve"}
STAFF: list[tuple[str, set[Permission], set[str]]] = [
    ("bob", set(), set()),
    ("bob", {P.SESSIONS_WRITE, P.SESSIONS_ASSIGN, P.MESSAGES_WRITE}, set()),
    ("bob", {P.SESSIONS_READ_UNASSIGNED}, WAITING),
    ("bob", {P.SESSIONS_READ_ASSIGNED}, BOBS),
    ("bob", {P.SESSIONS_READ_ASSIGNED, P.SESSIONS_READ_UNASSIGNED}, WAITING | BOBS),
    ("bob", {P.SESSIONS_READ_ALL}, EVERYTHING),
    ("bob", {P.SESSIONS_READ_TEAM}, set()),
    ("a key", {P.SESSIONS_READ_ASSIGNED}, set()),
    ("a key", {P.SESSIONS_READ_TEAM}, set()),
    ("a key", {P.SESSIONS_READ_UNASSIGNED}, WAITING),
    ("a key", {P.SESSIONS_READ_ALL}, EVERYTHING),
]


TEAMS = {"carl/nobody", "carl/bob", "carl/eve"}
MEMBERS: list[tuple[set[Permission], set[str]]] = [
    (set(), set()),
    ({P.SESSIONS_READ_TEAM}, TEAMS),
    ({P.SESSIONS_READ_TEAM, P.SESSIONS_READ_ASSIGNED}, TEAMS | BOBS),
    ({P.SESSIONS_READ_TEAM, P.SESSIONS_READ_UNASSIGNED}, TEAMS | WAITING),
    ({P.SESSIONS_READ_ASSIGNED}, BOBS),
    ({P.SESSIONS_READ_TEAM, P.SESSIONS_READ_ALL}, EVERYTHING),
]


@pytest.mark.parametrize(("permissions", "expected"), MEMBERS)
async def test_both_rules_open_the_sessions_of_a_team_to_members_who_may_read_them(
    world: World, permissions: set[Permission], expected: set[str]
) -> None:
    caller = staff(world, "bob", permissions, in_team=True)
    assert await by_sql(world, caller) == by_python(world, caller) == expected


@pytest.mark.parametrize(("actor", "permissions", "expected"), STAFF)
async def test_both_rules_open_to_staff_what_their_permissions_say(
    world: World, actor: str, permissions: set[Permission], expected: set[str]
) -> None:
    caller = staff(world, actor, permissions)
    assert await by_sql(world, caller) == by_python(world, caller) == expected


async def test_both_rules_open_to_a_customer_own_sessions_only(world: World) -> None:
    caller = customer(world, "ada", world.workspace.id)
    expected = {"ada/nobody", "ada/bob", "ada/eve"}
    assert await by_sql(world, caller) == by_python(world, caller) == expected


async def test_both_rules_keep_workspaces_apart(world: World) -> None:
    everywhere = customer(world, "ada", world.strangers_workspace)
    assert await by_sql(world, everywhere) == by_python(world, everywhere) == set()
    at_home = customer(world, "stranger", world.strangers_workspace)
    assert await by_sql(world, at_home) == by_python(world, at_home) == {"stranger/nobody"}


async def by_sql(world: World, caller: Caller) -> set[str]:
    """Names of the sessions that `visible_to` selects."""
    query = select(ChatSession.id).where(
        ChatSession.id.in_(world.sessions.values()), queries.visible_to(caller)
    )
    with world.workspace.service.database.bound():
        async with reading() as db:
            found = set(await db.scalars(query))
    return {name for name, session_id in world.sessions.items() if session_id in found}


def by_python(world: World, caller: Caller) -> set[str]:
    """Names of the sessions that `may_see` lets through."""
    return {name for name in world.sessions if may_see(world, caller, *name.split("/"))}


def may_see(world: World, caller: Caller, owner: str, holder: str) -> bool:
    """`may_see` on the values of a session."""
    assignee = world.people.get(holder)
    home = world.strangers_workspace if owner == "stranger" else world.workspace.id
    return queries.may_see(
        caller,
        workspace_id=home,
        customer_id=CustomerId(world.people[owner]),
        assignee_id=None if assignee is None else AgentId(assignee),
        team_id=world.team if owner == "carl" else None,
    )


@pytest.mark.parametrize("lock", [False, True])
@pytest.mark.parametrize("name", ["ada/eve", "stranger/nobody", "missing"])
async def test_what_is_not_there_and_what_is_not_allowed_are_the_same(
    world: World, name: str, lock: bool
) -> None:
    caller = staff(world, "bob", {P.SESSIONS_READ_ASSIGNED, P.SESSIONS_READ_UNASSIGNED})
    session_id = world.sessions.get(name, uuid4())
    async with writing(world.workspace.service) as db:
        with pytest.raises(NotFound) as refused:
            await queries.access(db, caller, session_id, lock=lock)
    assert str(refused.value) == NotFound.title


async def test_foreign_session_id_is_404_at_every_address(world: World) -> None:
    admin = await world.workspace.agent(Role.ADMIN)
    path = f"/v1/sessions/{world.sessions['stranger/nobody']}"
    bob = {"assignee": {"type": "agent", "id": str(world.people["bob"])}}
    answers = [
        await admin.get(path),
        await admin.call("PATCH", path, json={"subject": "Mine"}),
        await admin.post(f"{path}/claim"),
        await admin.post(f"{path}/assign", bob),
        await admin.post(f"{path}/close"),
        await admin.post(f"{path}/reopen"),
        await admin.get(f"{path}/events"),
    ]
    assert [answer.status_code for answer in answers] == [404] * len(answers)
