"""A real server on which everything was done that there is to do, and all that it told anybody.

What is told once is told here: links, logins, keys, tickets, second factors, tokens of customers.
"""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx2
from aiosmtpd.smtp import AuthResult
from websockets.exceptions import ConnectionClosed

from chat_service.app import create_app
from chat_service.audit.listing import every_entry
from chat_service.config import EmailSettings
from chat_service.model import migrations
from chat_service.schema import utc_now
from chat_service.test.addresses import BODIES, Stage, addresses, build_stage, caller_of
from chat_service.test.agents.lives import code_at
from chat_service.test.agents.post_office import PUBLIC_URL, Office, opened
from chat_service.test.agents.provider import CLIENT, SECRET, Program, providing
from chat_service.test.builders import PASSWORD, Json, Person, build_workspace, unique
from chat_service.test.conftest import METRICS_TOKEN, PLATFORM_TOKEN, config_of
from chat_service.test.customers.site import DEVICE, Site
from chat_service.test.faults.victim import Victim
from chat_service.test.realtime.list_client import until
from chat_service.test.realtime.talkers import Address, Socket
from chat_service.test.security.canaries import (
    Told,
    secret_part,
    stored_secrets,
)
from chat_service.workspaces.rendering import entry_view

FACTOR: Final = "/v1/agents/me/second-factor"
LAST: Final = (
    "POST /v1/sessions/{session_id}/close",
    "POST /v1/customers/{customer_id}/block",
    "DELETE /v1/agents/me/logins/{login_id}",
    "POST /v1/auth/sign-out",
)
"""What takes from others what they need."""


@dataclass
class Scene:
    """A real server that writes all it ever logs, and all that it told."""

    server: Victim
    stage: Stage
    provider: Program
    client: httpx2.AsyncClient
    told: Told
    office: Office = field(default_factory=Office)
    stored: dict[str, set[str]] = field(default_factory=dict)

    async def post(self, path: str, body: Json, **rest: Any) -> Json:
        """What somebody is told by an address that does what he asks."""
        answer = await self.client.post(path, json=body, **rest)
        assert answer.is_success, answer.text
        found: Json = answer.json() if answer.content else {}
        return found


def settings_of(program: Program, email: EmailSettings, told: Told) -> dict[str, str]:
    """Of a server with everything that has a secret of its own."""
    told.secrets["installation"] |= {METRICS_TOKEN, PLATFORM_TOKEN, SECRET}
    return {
        "ENVIRONMENT": "development",
        "LOG_LEVEL": "debug",
        "SECURITY_CONTACT": "mailto:help@example.org",
        "DATABASE_PROFILE": "fast",
        "SERVER_PUBLIC_URL": PUBLIC_URL,
        "SERVER_METRICS_TOKEN": METRICS_TOKEN,
        "AUTH_RECHECK_SECONDS": "0",
        "AUTH_PLATFORM_TOKEN": PLATFORM_TOKEN,
        "OIDC_ISSUER": program.issuer,
        "OIDC_CLIENT_ID": CLIENT,
        "OIDC_CLIENT_SECRET": SECRET,
        "EMAIL_HOST": email.host,
        "EMAIL_PORT": str(email.port),
        "EMAIL_SENDER": email.sender,
        "EMAIL_TLS": "none",
        "EMAIL_USER": "chat",
        "EMAIL_PASSWORD": told.canary("installation"),
    }


@asynccontextmanager
async def played(folder: Path) -> AsyncIterator[Scene]:
    """A server with people, who are made before it starts: it would not share its file."""
    told, office, url = Told(), Office(), f"sqlite:///{folder / 'chat.db'}"
    service = create_app(config_of(url, folder))
    await migrations.upgrade(service.database.engine)
    transport = httpx2.ASGITransport(app=service)
    async with httpx2.AsyncClient(transport=transport, base_url="http://test") as client:
        stage = await build_stage(await build_workspace(service, client))
    taken: Json = {"authenticator": lambda *_: AuthResult(success=True), "auth_require_tls": False}
    async with providing(utc_now) as provider, opened(office, **taken) as email:
        server = Victim(url, folder, settings_of(provider, email, told))
        await server.start()
        hooks: Any = {"response": [told.keep]}
        async with httpx2.AsyncClient(base_url=server.address, event_hooks=hooks) as client:
            for person in (stage.workspace, stage.customer, stage.agent, stage.key):
                person.client = client
            scene = Scene(server, stage, provider, client, told, office)
            yield scene
        server.kill()
    told.secrets["installation"].add((folder / "secret_key").read_text().strip())
    told.secrets["of the provider"] |= {secret_part(text) for text in provider.given}
    told.secrets["made before"] |= {
        secret_part(person.token) for person in (stage.customer, stage.agent, stage.key)
    }
    told.texts["log"].append(server.log.read_text())
    told.texts["letter"] += [letter.get_content() for _, letter in office.letters]
    with service.database.bound():
        async for entry in every_entry(stage.workspace.id):
            told.texts["audit export"].append(entry_view(entry).model_dump_json())
    scene.stored = await stored_secrets(service)
    await service.database.engine.dispose()


async def enter(scene: Scene, email: str, password: str, **rest: Any) -> Person:
    """Sign somebody in."""
    headers = rest.pop("headers", {})
    body = {"email": email, "password": password, "workspace": scene.stage.workspace.slug, **rest}
    given = await scene.post("/v1/auth/sign-in", body, headers=headers)
    return Person(scene.client, given["access_token"] or "", given["agent"]["id"], given)


async def let_agents_in(scene: Scene) -> None:
    """By a link, a password, a cookie, a code, a recovery code, and the word of another site."""
    boss, told, email = scene.stage.agent, scene.told, f"{unique()}@example.org"
    body = {"email": email, "display_name": "Nora", "role": "admin"}
    link = (await boss.post("/v1/agents", body)).json()["link"]["token"]
    password, other = told.canary("password"), told.canary("password")
    await scene.post("/v1/auth/links", {"token": link, "password": password})
    nora = await enter(scene, email, password)
    await enter(scene, email, password, cookie=True, headers={"Origin": PUBLIC_URL})
    await nora.post("/v1/realtime/tickets")
    secret, recovery = await protect(nora, password)
    await enter(scene, email, password, code=code_at(secret, utc_now))
    nora = await enter(scene, email, password, code=recovery[0])
    change = {"old_password": password, "password": other}
    assert (await nora.post("/v1/agents/me/password", change)).status_code == 204
    forget = {"password": other, "code": recovery[1]}
    assert (await nora.call("DELETE", FACTOR, json=forget)).status_code == 204
    await protect(nora, other)
    await boss.post(f"/v1/agents/{nora.id}/link")
    await go(scene, "link", "nora", nora)
    await go(scene, "link", "boss", boss)
    await go(scene, "sign_in", "nora")
    await scene.post("/v1/auth/recovery", {"email": email, "workspace": scene.stage.workspace.slug})
    await until(lambda: len(scene.office.letters) >= 2)


async def protect(nora: Person, password: str) -> tuple[str, list[str]]:
    """Set a second factor: its secret, and the recovery codes."""
    secret = (await nora.post(FACTOR, {"password": password})).json()["secret"]
    confirmed = await nora.post(f"{FACTOR}/confirm", {"code": code_at(secret, utc_now, -1)})
    assert confirmed.is_success, confirmed.text
    return secret, confirmed.json()["recovery_codes"]


async def go(scene: Scene, purpose: str, subject: str, who: Person | None = None) -> None:
    """To the provider and back."""
    headers = {"Authorization": f"Bearer {who.token}"} if who else {}
    named = {} if who else {"workspace": scene.stage.workspace.slug}
    begun = await scene.post("/v1/auth/oidc/start", {"purpose": purpose, **named}, headers=headers)
    back = scene.provider.visit(begun["authorization_url"], subject)
    await scene.post("/v1/auth/oidc/finish", {"flow": begun["flow"], **back}, headers=headers)


async def let_customers_in(scene: Scene) -> None:
    """By nothing, by the word of the host site, and again."""
    stage, told = scene.stage, scene.told
    made = (
        await stage.agent.post(f"/v1/inboxes/{stage.inbox_id}/keys", {"algorithm": "HS256"})
    ).json()
    stage.signing_key_id = made["key"]["id"]
    identity = Site(stage.workspace, made["key"]["kid"], made["secret"]).token()
    told.secrets["identity token"] |= {identity, secret_part(identity)}
    path = f"/v1/inboxes/{stage.workspace.inbox_key}/customers"
    for body in ({}, {"identity_token": identity, "device_id": DEVICE}):
        given = await scene.post(path, body)
        again = {"refresh_token": given["refresh_token"], "device_id": DEVICE}
        await scene.post("/v1/auth/token", again)


async def ask_everything(scene: Scene) -> None:
    """Every address: by whom it serves, by somebody else, by nobody, and with what is no good body."""
    stage = scene.stage
    others = [each for each in addresses() if each not in LAST]
    removals = [each for each in reversed(others) if each.startswith("DELETE")]
    for address in (*(each for each in others if each not in removals), *removals, *LAST):
        own = caller_of(address)
        for caller in ({"customer", "key"} - {own}, {own}):
            await stage.call(address, caller=min(caller))
        typed = scene.told.canary("typed")
        await stage.call(address, token=typed, query=f"?token={typed}")
        if address in BODIES:
            names = {*BODIES[address](stage), "unknown"}
            await stage.call(address, json={name: [{"unknown": typed}] for name in names})
            await stage.call(address, content=f'{{"{typed}'.encode())
    figures = {"Authorization": f"Bearer {METRICS_TOKEN}"}
    assert (await scene.client.get("/metrics", headers=figures)).is_success
    await leave(scene)


async def leave(scene: Scene) -> None:
    """What an agent does at last: his accounts of other sites go, and so does he."""
    path = "/v1/agents/me/identities"
    boss = await enter(scene, scene.stage.agent.details["agent"]["email"], PASSWORD)
    for each in (await boss.get(path)).json()["data"]:
        assert (await boss.call("DELETE", f"{path}/{each['id']}")).is_success
    assert (await boss.post("/v1/auth/sign-out")).is_success


async def wrong_words(scene: Scene) -> None:
    """Secrets that open nothing, wherever one is asked for."""
    canary, stage = scene.told.canary, scene.stage
    email = stage.agent.details["agent"]["email"]
    wrong: list[tuple[str, Json]] = [
        ("/v1/auth/sign-in", {"email": email, "password": canary("typed")}),
        ("/v1/auth/links", {"token": canary("typed"), "password": canary("typed")}),
        ("/v1/auth/token", {"refresh_token": canary("typed")}),
        ("/v1/auth/oidc/finish", dict.fromkeys(("flow", "code", "state"), canary("typed"))),
        (
            f"/v1/inboxes/{stage.workspace.inbox_key}/customers",
            {"identity_token": canary("typed"), "device_id": DEVICE},
        ),
    ]
    for path, body in wrong:
        assert (await scene.client.post(path, json=body)).status_code in (400, 422), path
    password = {"old_password": canary("typed"), "password": canary("typed")}
    assert (await stage.agent.post("/v1/agents/me/password", password)).status_code == 400


async def read_the_logs(scene: Scene) -> None:
    """All pages of what happened and of who did what."""
    key, path = scene.stage.key, "/v1/events?limit=500"
    while (page := (await key.get(path)).json())["has_more"]:
        path = f"/v1/events?limit=500&after={page['next_cursor']}"
    for path in ("/v1/audit-entries?limit=200", f"/v1/sessions/{scene.stage.session_id}/events"):
        assert (await key.get(path)).is_success


@asynccontextmanager
async def listening(scene: Scene) -> AsyncIterator[None]:
    """Sockets of everybody on the stage, and what they were told to their end."""
    place, stage = Address(scene.server.address.removeprefix("http://")), scene.stage
    sockets: list[Socket] = []
    async with AsyncExitStack() as stack:
        for person in (stage.customer, stage.agent, stage.key):
            sockets.append(await stack.enter_async_context(place.socket(person)))
            await sockets[-1].follow(stage.session_id)
        for socket in sockets[1:]:
            await socket.ask("subscribe", stream="sessions")
        yield
        for socket in sockets:
            scene.told.texts["socket"].append(str([await last_words(socket), socket.events]))


async def last_words(socket: Socket) -> list[Json]:
    """What else was said, once all that was on its way has come."""
    with suppress(ConnectionClosed):
        await socket.say(op="ping", t=1)
        await socket.until("pong")
    return socket.heard


@asynccontextmanager
async def everything_done(folder: Path) -> AsyncIterator[Scene]:
    """The server after it was asked everything, well and badly, with sockets open all the while."""
    async with played(folder) as scene:
        async with listening(scene):
            await let_agents_in(scene)
            await let_customers_in(scene)
            await wrong_words(scene)
            await ask_everything(scene)
        await read_the_logs(scene)
    yield scene
