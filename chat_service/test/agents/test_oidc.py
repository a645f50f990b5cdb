"""Signing in by a provider: the good way, and every way that opens nothing."""

import json
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx2
import pytest
from structlog.testing import capture_logs

from chat_service.app import Service
from chat_service.schema import Outcome, Role, new_id
from chat_service.test.agents.lives import ask
from chat_service.test.agents.oidc_place import (
    FINISH,
    IDENTITIES,
    START,
    Place,
    oidc_service,
    place,
    provider,
    signed_in,
    told,
)
from chat_service.test.agents.provider import SECRET, Program, answering
from chat_service.test.browsers import COOKIE, OWN
from chat_service.test.builders import PASSWORD, Person, unique
from chat_service.test.conformance.sqllog import watching, without_tenant
from chat_service.test.fakes import TurningClock
from chat_service.test.rows import deactivate

__all__ = ["oidc_service", "place", "provider"]
OFF = [("GET", "/v1/auth/oidc"), ("GET", IDENTITIES), ("DELETE", f"{IDENTITIES}/0123")]


@pytest.mark.asvs("7.2.2", "10.5.2")
async def test_signs_an_agent_in_by_an_account_that_is_linked(place: Place) -> None:
    bob = await place.linked("bob", Role.SUPERVISOR)
    again = signed_in(await place.go("bob"), place.workspace.client)
    assert again.details["agent"] == bob.details["agent"]
    assert again.token != bob.token and again.details["expires_in"] == 43_200
    assert (await again.get("/v1/sessions")).status_code == 200


@pytest.mark.asvs("10.1.2", "10.2.1")
async def test_the_browser_is_sent_with_all_that_binds_its_way_back(place: Place) -> None:
    started = await place.start()
    url = urlsplit(started["authorization_url"])
    asked = dict(parse_qsl(url.query))
    assert f"{url.scheme}://{url.netloc}" == place.provider.issuer
    assert asked["redirect_uri"] == f"{OWN}/console/oidc"
    assert asked["scope"] == "openid email profile"
    assert {len(asked[name]) for name in ("state", "nonce", "code_challenge")} == {43}
    assert started["expires_in"] == 600
    assert len(started["flow"]) < 2_048
    other = dict(parse_qsl(urlsplit((await place.start())["authorization_url"]).query))
    assert not {asked[name] for name in ("state", "nonce", "code_challenge")} & set(other.values())


async def test_an_address_of_the_provider_may_have_a_query_of_its_own(
    place: Place, provider: Program, clock: TurningClock
) -> None:
    provider.metadata["authorization_endpoint"] = f"{provider.issuer}/authorize?tenant=7"
    clock.turn(hours=1)
    url = urlsplit((await place.start())["authorization_url"])
    assert url.query.startswith("tenant=7&response_type=code&")


@pytest.mark.parametrize("algorithm", ["RS256", "ES256", "EdDSA"])
async def test_accepts_each_algorithm_of_the_list(place: Place, algorithm: str) -> None:
    place.provider.algorithm = algorithm
    await place.linked("bob")


async def test_shows_its_secret_in_the_form_where_the_provider_wants_it_there(
    place: Place, clock: TurningClock
) -> None:
    place.provider.metadata["token_endpoint_auth_methods_supported"] = ["client_secret_post"]
    clock.turn(hours=1)
    await place.linked("bob")
    clock.turn(hours=1)


@pytest.mark.asvs("3.3.4", "3.5.1")
async def test_a_page_of_the_service_gets_a_cookie_and_no_token(place: Place) -> None:
    bob, client = await place.linked("bob"), place.workspace.client
    started = await place.start()
    back = place.provider.visit(started["authorization_url"], "bob")
    body = {"flow": started["flow"], **back, "cookie": True}
    for origin in ({}, {"Origin": "https://evil.example"}):
        refused = await client.post(FINISH, json=body, headers=origin)
        assert (refused.status_code, refused.json()["code"]) == (403, "origin_not_allowed")
    response = await client.post(FINISH, json=body, headers={"Origin": OWN})
    assert (response.status_code, response.json()["access_token"]) == (200, None)
    assert response.headers["Set-Cookie"].startswith(f"{COOKIE}=at_")
    assert response.json()["agent"]["id"] == bob.id


async def test_says_that_there_is_a_provider(place: Place) -> None:
    response = await place.call("GET", "/v1/auth/oidc")
    assert (response.status_code, response.json()) == (200, {"name": "Example ID"})


async def test_without_an_issuer_there_is_no_such_address(client: httpx2.AsyncClient) -> None:
    start, finish = {"purpose": "sign_in"}, {"flow": "x", "code": "x", "state": "x"}
    answers = [await client.request(method, path) for method, path in OFF]
    answers += [await client.post(START, json=start), await client.post(FINISH, json=finish)]
    assert {(each.status_code, each.json()["code"]) for each in answers} == {(404, "not_found")}


async def refused(place: Place, subject: str = "bob", **fields: Any) -> None:
    """See that a way leads nowhere, and tells what every such way tells."""
    made_up = {"flow": "made up", "code": "x", "state": "y"}
    usual = await ask(place.workspace.service, FINISH, made_up)
    response = await place.go(subject, **fields)
    assert told(response) == told(usual)
    assert (response.status_code, response.json()["code"]) == (400, "invalid_grant")


@pytest.mark.asvs("10.2.1")
@pytest.mark.api_top10("API2")
async def test_a_wrong_state_opens_nothing(place: Place) -> None:
    await place.linked("bob")
    await refused(place, state="A" * 43)


@pytest.mark.asvs("10.1.2", "10.2.1")
@pytest.mark.api_top10("API2")
async def test_the_state_of_another_flow_opens_nothing(place: Place) -> None:
    await place.linked("bob")
    one, other = await place.start(), await place.start()
    back = place.provider.visit(one["authorization_url"], "bob")
    assert (await place.finish(other, back)).status_code == 400
    theirs = place.provider.visit(other["authorization_url"], "bob")
    mixed = await place.finish(other, {**back, "state": theirs["state"]})
    assert mixed.status_code == 400


@pytest.mark.asvs("10.1.2")
@pytest.mark.api_top10("API2")
async def test_a_changed_flow_opens_nothing(place: Place) -> None:
    await place.linked("bob")
    started = await place.start()
    back = place.provider.visit(started["authorization_url"], "bob")
    for at in (0, 40, len(started["flow"]) // 2):
        flow = started["flow"][:at] + "_" + started["flow"][at + 1 :]
        assert (await place.finish({"flow": flow}, back)).status_code == 400
    assert (await place.finish(started, back)).status_code == 200


@pytest.mark.asvs("10.1.2")
@pytest.mark.api_top10("API2")
async def test_a_code_is_good_once(place: Place) -> None:
    await place.linked("bob")
    started = await place.start()
    back = place.provider.visit(started["authorization_url"], "bob")
    statuses = [(await place.finish(started, back)).status_code for _ in range(2)]
    assert statuses == [200, 400]


@pytest.mark.asvs("10.1.2")
@pytest.mark.api_top10("API2")
async def test_a_flow_ends_after_ten_minutes(place: Place, clock: TurningClock) -> None:
    await place.linked("bob")
    for seconds, status in ((590, 200), (610, 400)):
        started = await place.start()
        back = place.provider.visit(started["authorization_url"], "bob")
        clock.turn(seconds=seconds)
        assert (await place.finish(started, back)).status_code == status


@pytest.mark.parametrize("iss", ["https://evil.example", "", "/"])
@pytest.mark.asvs("10.2.2")
@pytest.mark.api_top10("API10")
async def test_an_answer_of_another_issuer_is_not_taken_to_the_token_endpoint(
    place: Place, iss: str
) -> None:
    await place.linked("bob")
    asked = place.provider.asked["/token"]
    await refused(place, iss=place.provider.issuer + iss if iss == "/" else iss)
    assert place.provider.asked["/token"] == asked


@pytest.mark.asvs("10.2.2")
@pytest.mark.api_top10("API10")
async def test_the_parameter_iss_is_needed_where_it_is_announced(
    place: Place, clock: TurningClock
) -> None:
    await place.linked("bob")
    assert (await place.go("bob", iss=None)).status_code == 200
    place.provider.metadata["authorization_response_iss_parameter_supported"] = True
    clock.turn(hours=1)
    await refused(place, iss=None)
    assert (await place.go("bob")).status_code == 200
    clock.turn(hours=1)


@pytest.mark.asvs("6.3.8", "7.4.2")
@pytest.mark.api_top10("API2")
async def test_an_unknown_or_absent_account_opens_nothing(place: Place) -> None:
    bob = await place.linked("bob")
    await refused(place, "eve")
    await refused(place, "BOB")
    await deactivate(place.workspace, bob)
    await refused(place)


@pytest.mark.asvs("6.3.8")
async def test_a_workspace_that_does_not_exist_is_told_by_nothing(place: Place) -> None:
    await place.linked("bob")
    started = await place.start(workspace=f"none-{unique()}")
    back = place.provider.visit(started["authorization_url"], "bob")
    unknown = await place.finish(started, back)
    assert told(unknown) == told(await place.go("eve"))


@pytest.mark.asvs("6.3.1")
@pytest.mark.api_top10("API2")
async def test_wrong_ways_are_counted_by_address_and_right_ones_are_not(place: Place) -> None:
    await place.linked("bob")
    for _ in range(4):
        assert (await place.go("eve")).status_code == 400
        assert (await place.go("bob")).status_code == 200
    assert (await place.go("eve")).status_code == 400
    asked = place.provider.asked["/token"]
    limited = await place.go("bob")
    assert (limited.status_code, limited.json()["code"]) == (429, "too_many_tries")
    assert place.provider.asked["/token"] == asked


@pytest.mark.asvs("6.3.1")
@pytest.mark.api_top10("API2")
async def test_a_made_up_workspace_gives_no_new_tries(place: Place) -> None:
    texts = [f"il_{new_id().hex}_{new_id().hex}_{unique()}" for _ in range(7)]
    bodies = [{"purpose": "invitation", "link_token": text} for text in texts]
    answers = [await place.call("POST", START, body) for body in bodies]
    assert [each.status_code for each in answers] == [400] * 5 + [429] * 2


@pytest.mark.asvs("16.3.1")
async def test_who_came_in_and_who_was_refused_is_audited(place: Place) -> None:
    bob = await place.linked("bob")
    await place.go("eve")
    again = signed_in(await place.go("bob"), place.workspace.client)
    linked, wrong, right = await place.audited()
    assert (linked.action, linked.target_id) == ("agent.identity_linked", bob.id)
    assert (wrong.action, wrong.outcome, wrong.actor_id) == (
        "agent.signed_in",
        Outcome.REFUSED,
        None,
    )
    assert (right.action, right.outcome) == ("agent.signed_in", Outcome.DONE)
    assert (str(right.actor_id), right.target_id) == (bob.id, bob.id)
    assert right.token_id is not None and right.token_id.hex == again.token.split("_")[2]
    assert wrong.address is not None and wrong.address.startswith("2001:db8:")


@pytest.mark.asvs("16.2.5")
async def test_nothing_that_opens_anything_is_logged(place: Place) -> None:
    provider = place.provider
    with capture_logs() as logs:
        await place.linked("a-subject")
        await place.go("another-subject")
        provider.claims = {"nonce": "wrong"}
        await place.go("a-subject")
        failing = json.dumps({"error": "invalid_client", "error_description": "by " + SECRET})
        provider.answers["/token"] = answering("400 Bad Request", failing)
        started = await place.start()
        await place.finish(started, provider.visit(started["authorization_url"], "a-subject"))
    reasons = [each.get("reason") for each in logs if each["event"].startswith("oidc")]
    assert reasons == ["invalid_client"]
    text = json.dumps(logs, default=str)
    secrets = [*provider.given, started["flow"], SECRET, "a-subject", "another-subject"]
    assert len(secrets) > 10
    assert [each for each in secrets if each in text] == []


@pytest.mark.asvs("8.4.1")
@pytest.mark.api_top10("API1")
async def test_every_statement_names_the_tenant(place: Place) -> None:
    with watching(place.workspace.service.database.engine) as sql:
        bob = await place.linked("bob")
        _, link = await place.invite()
        assert (await place.go("eve", "invitation", link_token=link)).status_code == 200
        assert (await place.go("bob")).status_code == 200
        (own,) = (await place.call("GET", IDENTITIES, who=bob)).json()["data"]
        shown = {"password": PASSWORD}
        gone = await place.call("DELETE", f"{IDENTITIES}/{own['id']}", shown, who=bob)
        assert gone.status_code == 204
    assert len(sql.statements) > 40
    assert [each for each in sql.statements if without_tenant(each)] == []


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "no purpose": ({}, "/purpose"),
    "another purpose": ({"purpose": "recovery"}, "/purpose"),
    "no link": ({"purpose": "invitation"}, "/link_token"),
    "a link too many": ({"purpose": "sign_in", "link_token": "il_"}, "/link_token"),
    "a workspace too many": ({"purpose": "link", "workspace": "acme"}, "/workspace"),
    "a page": ({"purpose": "sign_in", "redirect_uri": "https://evil.example"}, "/redirect_uri"),
}


@pytest.mark.parametrize(("body", "pointer"), WRONG.values(), ids=list(WRONG))
@pytest.mark.asvs("2.2.1", "2.2.3")
async def test_refuses_wrong_fields(place: Place, body: dict[str, Any], pointer: str) -> None:
    response = await place.call("POST", START, body)
    assert (response.status_code, response.json()["code"]) == (422, "validation_failed")
    assert [each["pointer"] for each in response.json()["errors"]] == [pointer]


@pytest.mark.asvs("8.2.1")
@pytest.mark.api_top10("API5")
async def test_whose_login_it_is_is_asked_for_linking_alone(place: Place) -> None:
    customer, key = await place.workspace.customer(), await place.workspace.key()
    nobody = Person(place.workspace.client, "at_x", "")
    for who, status in ((None, 401), (nobody, 401), (customer, 403), (key, 403)):
        response = await place.call("POST", START, {"purpose": "link"}, who=who)
        assert response.status_code == status
    fields = {"purpose": "sign_in", "workspace": place.workspace.slug}
    assert (await place.call("POST", START, fields, who=nobody)).status_code == 200


def test_the_service_of_other_tests_knows_no_provider(service: Service) -> None:
    assert service.config.oidc.issuer == ""
