"""Whether time tells who has an account: `python -m chat_service.test.security.timing [DATABASE_URL]`.

Asks at each door for somebody who is known and for somebody who is not, by turns, at the usual cost of
passwords, and prints the medians in milliseconds. A measurement and no test: machines differ.
"""

import asyncio
import sys
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Final

import attrs
import httpx2

from chat_service.agents import links, queries
from chat_service.agents import services as agents
from chat_service.app import Service, create_app
from chat_service.config import Auth
from chat_service.model import migrations
from chat_service.schema import AgentStatus, Role, new_id, utc_now
from chat_service.server.background import spawn
from chat_service.test.agents.lives import ask, enter, join
from chat_service.test.agents.post_office import PUBLIC_URL, Office, opened
from chat_service.test.builders import Workspace, build_workspace, unique, writing
from chat_service.test.conftest import config_of
from chat_service.tokens import opaque_token

ROUNDS: Final = 150
AT_MOST: Final = 5.0
"""Milliseconds that known and unknown may be apart; what a network hides."""
Door = Callable[[str], Awaitable[httpx2.Response]]


async def staffed(workspace: Workspace) -> list[str]:
    """The e-mails of people with accounts."""
    hashed = await workspace.service.quart.extensions["chat_service"].passwords.hash(unique())
    emails = [f"{unique()}@example.org" for _ in range(ROUNDS)]
    async with writing(workspace.service) as db:
        for email in emails:
            await agents.create(
                db,
                workspace.id,
                email=email,
                name="Bob",
                role=Role.AGENT,
                password_hash=hashed,
                now=utc_now(),
            )
    return emails


async def linked(workspace: Workspace, emails: Sequence[str]) -> list[str]:
    """The links of people, each with a letter that is wrong."""
    found, config = [], workspace.service.config.auth
    async with writing(workspace.service) as db:
        for email in emails:
            agent = await queries.by_email(db, workspace.id, email)
            assert agent is not None and agent.status is AgentStatus.ACTIVE
            found.append((await links.issue(db, agent, config, now=utc_now())).token)
    return [f"{token[:-1]}{'0' if token[-1] != '0' else '1'}" for token in found]


async def medians(
    service: Service, door: Door, known: Sequence[str], unknown: Sequence[str], status: int
) -> tuple[float, float]:
    """How long answers take about known and unknown ones, in milliseconds."""
    took: tuple[list[float], list[float]] = ([], [])
    for turn, pair in enumerate(zip(known, unknown, strict=True)):
        # Each is first as often as the other, for what the first leaves is paid by the second.
        for kind in (turn % 2, 1 - turn % 2):
            name = pair[kind]
            began = perf_counter()
            answer = await door(name)
            took[kind].append((perf_counter() - began) * 1_000)
            assert answer.status_code == status, answer.text
            await service.mailer.flush()
    return median(took[0]), median(took[1])


async def measure(service: Service) -> None:
    """Ask at each door, and print."""
    transport = httpx2.ASGITransport(app=service)
    async with httpx2.AsyncClient(transport=transport, base_url="http://test") as client:
        workspace = await build_workspace(service, client)
    known = await staffed(workspace)
    tokens = await linked(workspace, known)
    strangers = [f"{unique()}@example.org" for _ in known]
    made_up = [opaque_token(links.PREFIX, workspace.id, new_id(), "0" * 64) for _ in known]

    async def sign_in(email: str) -> httpx2.Response:
        return await enter(workspace, email, password="wrong pass word")

    async def recover(email: str) -> httpx2.Response:
        body = {"email": email, "workspace": workspace.slug}
        return await ask(service, "/v1/auth/recovery", body)

    async def use_link(token: str) -> httpx2.Response:
        return await join(workspace, token)

    doors: dict[str, tuple[Door, Sequence[str], Sequence[str], int]] = {
        "sign-in": (sign_in, known, strangers, 400),
        "recovery": (recover, known, strangers, 202),
        "links": (use_link, tokens, made_up, 400),
    }
    for name, (door, mine, theirs, status) in doors.items():
        found = await medians(service, door, mine, theirs, status)
        apart = abs(found[0] - found[1])
        told = "" if apart < AT_MOST else f" (more than {AT_MOST} ms)"
        print(f"{name:9} known {found[0]:6.2f}  unknown {found[1]:6.2f}  apart {apart:5.2f}{told}")


async def main(url: str) -> None:
    """Measure on a database of its own, or on an empty one that is named."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        async with opened(Office()) as email:
            config = config_of(url or f"sqlite:///{folder / 'chat.db'}", folder, profile="durable")
            usual = Auth()
            auth = attrs.evolve(
                config.auth,
                hash_memory_kib=usual.hash_memory_kib,
                hash_rounds=usual.hash_rounds,
                tries_per_account=ROUNDS,
            )
            server = attrs.evolve(config.server, public_url=PUBLIC_URL)
            service = create_app(attrs.evolve(config, email=email, auth=auth, server=server))
            await migrations.upgrade(service.database.engine)
            writer = spawn(service.mailer.run)
            with service.database.bound():
                await measure(service)
            writer.cancel()
            await service.database.engine.dispose()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1] if len(sys.argv) > 1 else ""))
