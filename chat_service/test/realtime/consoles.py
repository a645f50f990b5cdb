"""Consoles that follow the agents' list, and what happens in it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from chat_service.test.builders import Json, Person, Workspace
from chat_service.test.realtime.list_client import Console, Socket, connected, until


async def begun(customer: Person) -> str:
    """A new session."""
    session_id: str = (await customer.start())["session"]["id"]
    return session_id


async def say(person: Person, session_id: str, text: str = "word") -> None:
    """A message that is taken."""
    response = await person.send(session_id, text)
    assert response.status_code == 201, response.text


@asynccontextmanager
async def console(
    workspace: Workspace, person: Person, view: str = "all", window: int = 50
) -> AsyncIterator[tuple[Console, Socket]]:
    """A console that has listed and follows its view."""
    shown = Console(person, view, window)
    await shown.list()
    async with connected(workspace.service, person) as socket:
        answer = await shown.subscribe(socket)
        assert answer["op"] == "subscribed", answer
        yield shown, socket


async def changed(socket: Socket) -> Json:
    """The next frame that names a session."""
    while True:
        frame = await socket.next("sessions")
        if frame["changed"] or frame["removed"]:
            return frame


async def talk(customer: Person, ids: list[str], count: int) -> None:
    """Messages all over."""
    for number in range(count):
        await say(customer, ids[number % len(ids)], f"word {number}")


async def settled(shown: Console) -> None:
    """Wait until a console shows what a new list would."""
    page = {session["id"]: session for session in (await shown.page())["data"]}
    await until(lambda: shown.sessions == page)
