"""Nobody gets an account by an e-mail, nor keeps one that somebody else has linked since.

Seen elsewhere: an account made beforehand under somebody's e-mail, which he then shared by OAuth with
whoever had made it; accounts linked by an unverified e-mail; the hash of an invitation that made an
admin of whoever had it.
"""

import asyncio
from typing import Any, Final

import pytest

from chat_service.app import Service
from chat_service.model import Agent
from chat_service.schema import LinkPurpose, Role
from chat_service.test.agents.lives import join, protect
from chat_service.test.agents.oidc_place import (
    IDENTITIES,
    START,
    Place,
    oidc_service,
    place,
    provider,
    settled,
    signed_in,
    told,
)
from chat_service.test.agents.provider import Program
from chat_service.test.builders import PASSWORD, Json, Person
from chat_service.test.fakes import TurningClock
from chat_service.test.rows import change_row
from chat_service.test.snapshot import rows_of

__all__ = ["oidc_service", "place", "provider"]


async def by_password(place: Place, agent: Person) -> int:
    """The status of signing in by e-mail and password."""
    email, slug = agent.details["agent"]["email"], place.workspace.slug
    body = {"email": email, "password": PASSWORD, "workspace": slug}
    return (await place.call("POST", "/v1/auth/sign-in", body)).status_code


@pytest.mark.parametrize("verified", [True, False, None, "true"])
@pytest.mark.asvs("10.5.2")
@pytest.mark.api_top10("API2", "API10")
async def test_an_unknown_account_with_the_email_of_an_agent_opens_nothing(
    place: Place, verified: object
) -> None:
    owner = await place.workspace.agent(Role.OWNER)
    email = owner.details["agent"]["email"]
    before = await rows_of(place.workspace)
    unknown = told(await place.go("eve"))
    claims = {"email": email, "email_verified": verified, "preferred_username": email}
    place.provider.claims = claims
    assert told(await place.go("eve")) == unknown
    assert told(await place.go(email)) == unknown
    assert unknown[0] == 400
    assert await rows_of(place.workspace) == before


@pytest.mark.asvs("6.8.1", "10.5.2")
@pytest.mark.api_top10("API2")
async def test_the_same_subject_of_another_issuer_is_somebody_else(place: Place) -> None:
    bob = await place.linked("bob")
    place.provider.claims = {"iss": "https://evil.example"}
    assert (await place.go("bob")).status_code == 400
    place.provider.claims = {}
    assert signed_in(await place.go("bob"), place.workspace.client).id == bob.id


@pytest.mark.asvs("7.4.3")
@pytest.mark.api_top10("API2")
async def test_linking_ends_every_other_login(place: Place) -> None:
    bob, colleague = await place.workspace.agent(), await place.workspace.agent()
    await place.linked("colleague")
    body = {"email": bob.details["agent"]["email"], "password": PASSWORD}
    other = await place.call("POST", "/v1/auth/sign-in", body | {"workspace": place.workspace.slug})
    stolen = signed_in(other, place.workspace.client)
    assert (await place.go("bob", "link", who=bob)).status_code == 200
    assert (await stolen.get("/v1/sessions")).status_code == 401
    for still in (bob, colleague):
        assert (await still.get("/v1/sessions")).status_code == 200


@pytest.mark.parametrize(("drop", "status"), [(True, 400), (False, 200), (None, 200)])
async def test_linking_drops_the_password_where_that_is_asked_for(
    place: Place, drop: bool | None, status: int
) -> None:
    bob = await place.workspace.agent()
    fields: Json = {} if drop is None else {"drop_password": drop}
    assert (await place.go("bob", "link", who=bob, **fields)).status_code == 200
    assert await by_password(place, bob) == status
    assert (await place.go("bob")).status_code == 200
    acts = {each.action for each in await place.audited()}
    assert ("agent.password_changed" in acts) is bool(drop)


async def test_signing_in_drops_no_password_whatever_the_body_says(place: Place) -> None:
    bob = await place.linked("bob")
    assert (await place.go("bob", drop_password=True)).status_code == 200
    assert await by_password(place, bob) == 200


@pytest.mark.asvs("10.1.2")
@pytest.mark.api_top10("API2")
async def test_a_way_that_one_began_links_nothing_to_another(place: Place) -> None:
    """Else a page would link the account of an attacker to whoever opens it."""
    bob, eve = await place.workspace.agent(), await place.workspace.agent()
    started = await place.start("link", who=eve)
    back = place.provider.visit(started["authorization_url"], "eve")
    assert (await place.finish(started, back, who=bob)).status_code == 400
    assert (await place.finish(started, back)).status_code == 401
    for who in (bob, eve):
        assert (await place.call("GET", IDENTITIES, who=who)).json()["data"] == []


@pytest.mark.asvs("2.3.1", "10.1.2")
async def test_a_way_to_sign_in_links_nothing(place: Place) -> None:
    bob = await place.workspace.agent()
    assert (await place.go("bob", "sign_in", who=bob)).status_code == 400
    assert (await place.call("GET", IDENTITIES, who=bob)).json()["data"] == []


@pytest.mark.asvs("8.4.1")
@pytest.mark.api_top10("API1")
async def test_an_account_opens_its_own_workspace_alone(
    place: Place, oidc_service: Service, provider: Program
) -> None:
    bob = await place.linked("bob", Role.OWNER)
    async with settled(oidc_service, provider) as there:
        eve = await there.linked("eve")
        unknown = told(await there.go("nobody"))
        assert told(await there.go("bob")) == unknown
        his = await there.linked("bob")
        (identity,) = (await there.call("GET", IDENTITIES, who=bob)).json()["data"]
        shown = {"password": PASSWORD}
        gone = await there.call("DELETE", f"{IDENTITIES}/{identity['id']}", shown, who=eve)
        assert gone.status_code == 404
        assert signed_in(await place.go("bob"), place.workspace.client).id == bob.id
        assert signed_in(await there.go("bob"), there.workspace.client).id == his.id


async def refused_at_start(place: Place, text: str) -> bool:
    """Whether nothing comes of the text of a link."""
    body = {"purpose": "invitation", "link_token": text}
    response = await place.call("POST", START, body)
    refused = (response.status_code, response.json().get("code")) == (400, "invalid_grant")
    assert refused or response.status_code == 200, response.text
    return refused


GARBAGE = ["", "il", "il_", "il_x_y_z", "x" * 255, f"il_{'0' * 32}_{'0' * 32}_{'0' * 48}"]


@pytest.mark.parametrize("text", GARBAGE)
@pytest.mark.api_top10("API2")
async def test_what_is_no_invitation_opens_nothing(place: Place, text: str) -> None:
    assert await refused_at_start(place, text)


@pytest.mark.api_top10("API2")
async def test_the_text_of_an_invitation_is_one_whole(place: Place) -> None:
    _, link = await place.invite()
    _, workspace, row, secret = link.split("_")
    _, other = await place.invite()
    for text in (
        f"at_{workspace}_{row}_{secret}",
        f"il_{workspace}_{row}_{secret[::-1]}",
        f"il_{workspace}_{other.split('_')[2]}_{secret}",
    ):
        assert await refused_at_start(place, text)
    assert not await refused_at_start(place, link)


@pytest.mark.asvs("6.4.1", "8.4.1")
@pytest.mark.api_top10("API2")
async def test_an_invitation_is_for_its_workspace_its_purpose_and_its_time(
    place: Place, oidc_service: Service, provider: Program
) -> None:
    _, late = await place.invite(seconds=-1)
    _, recovery = await place.invite(purpose=LinkPurpose.RECOVERY)
    _, link = await place.invite()
    async with settled(oidc_service, provider) as there:
        moved = link.replace(place.workspace.id.hex, there.workspace.id.hex)
        assert await refused_at_start(there, moved)
    assert await refused_at_start(place, late)
    assert await refused_at_start(place, recovery)


@pytest.mark.asvs("6.4.1", "15.4.2")
@pytest.mark.api_top10("API2")
async def test_an_invitation_is_good_once_however_many_come_at_once(place: Place) -> None:
    _, link = await place.invite()
    ways = []
    for number in range(4):
        started = await place.start("invitation", link_token=link)
        back = place.provider.visit(started["authorization_url"], f"eve-{number}")
        ways.append(place.finish(started, back))
    answers = sorted(each.status_code for each in await asyncio.gather(*ways))
    assert answers == [200, 400, 400, 400]
    assert await refused_at_start(place, link)


@pytest.mark.asvs("8.2.1")
@pytest.mark.api_top10("API5", "API10")
async def test_an_invitation_makes_nobody_more_than_he_was_invited_as(place: Place) -> None:
    invited, link = await place.invite()
    place.provider.claims = {"role": "owner", "roles": ["owner"], "groups": ["admins"]}
    eve = signed_in(await place.go("eve", "invitation", link_token=link), place.workspace.client)
    assert (eve.details["agent"]["role"], eve.id) == ("agent", str(invited.id))


@pytest.mark.api_top10("API2")
async def test_who_joined_already_joins_by_no_other_link(place: Place) -> None:
    """An old invitation in a mailbox gives nobody the account of who accepted a newer one."""
    bob = await place.linked("bob")
    _, link = await place.invite()
    invited, second = await place.invite()
    started = await place.start("invitation", link_token=second)
    await change_row(place.workspace, Agent, invited.id, status="active")
    assert await refused_at_start(place, second)
    back = place.provider.visit(started["authorization_url"], "eve")
    assert (await place.finish(started, back)).status_code == 400
    taken = await place.go("bob", "invitation", link_token=link)
    assert (taken.status_code, taken.json()["code"]) == (409, "identity_taken")
    assert signed_in(await place.go("bob"), place.workspace.client).id == bob.id
    assert not await refused_at_start(place, link)


LINK: Final = {"purpose": "link"}


async def held(place: Place) -> dict[str, Any]:
    """All that there is but tries, and what tells of them."""
    rows = await rows_of(place.workspace)
    return {name: rows[name] for name in ("agents", "agent_identities", "tokens")}


@pytest.mark.asvs("7.5.1")
@pytest.mark.parametrize(
    ("shown", "code"),
    [
        ({}, "validation_failed"),
        ({"password": "a wrong password"}, "invalid_grant"),
        ({"password": PASSWORD}, "second_factor_required"),
        ({"password": PASSWORD, "code": "000000"}, "invalid_grant"),
    ],
)
async def test_a_stolen_login_links_no_account_and_takes_none_away(
    place: Place, shown: Json, code: str
) -> None:
    bob = await place.linked("bob")
    (own,) = (await place.call("GET", IDENTITIES, who=bob)).json()["data"]
    await protect(place.workspace, bob)
    before = await held(place)
    for method, path, body in (
        ("POST", START, LINK),
        ("DELETE", f"{IDENTITIES}/{own['id']}", {}),
    ):
        refused = await place.call(method, path, {**body, **shown}, who=bob)
        assert refused.json()["code"] == code
    assert await held(place) == before


@pytest.mark.asvs("7.5.1")
async def test_who_has_no_password_has_just_signed_in(place: Place, clock: TurningClock) -> None:
    _, link = await place.invite()
    eve = signed_in(await place.go("eve", "invitation", link_token=link), place.workspace.client)
    assert (await place.call("POST", START, LINK, who=eve)).status_code == 200
    clock.turn(seconds=601)
    refused = await place.call("POST", START, LINK, who=eve)
    assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")


async def test_linking_ends_the_links_of_an_agent(place: Place) -> None:
    """A recovery asked for before would bring a dropped password back."""
    boss, bob = await place.workspace.agent(Role.OWNER), await place.workspace.agent()
    link = (await boss.post(f"/v1/agents/{bob.id}/link")).json()["link"]["token"]
    assert (await place.go("bob", "link", who=bob, drop_password=True)).status_code == 200
    assert (await join(place.workspace, link)).status_code == 400
