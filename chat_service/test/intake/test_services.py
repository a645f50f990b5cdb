"""A start is one session whatever is repeated or raced; the limit of open sessions is exact."""

import asyncio
from typing import Any

import httpx2
import pytest

from chat_service.schema import Role, Status
from chat_service.test.builders import Json, Person, Workspace, message, unique
from chat_service.test.customers.calls import renew
from chat_service.test.fakes import TurningClock
from chat_service.test.rows import put_to_rest
from chat_service.test.sessions.calls import act, show, types


async def start(person: Person, **fields: Any) -> httpx2.Response:
    """The answer to a start, whatever it is."""
    return await person.post("/v1/sessions", {"client_session_id": unique(), **fields})


def ids(answer: httpx2.Response) -> tuple[str, str]:
    """The session and its message."""
    body = answer.json()
    return body["session"]["id"], body["message"]["id"]


@pytest.fixture
async def customer(workspace: Workspace) -> Person:
    """Somebody who arrives."""
    return await workspace.customer()


async def test_a_session_begins_with_its_message(workspace: Workspace, customer: Person) -> None:
    started = (await start(customer, initial_message=message("Hi"))).json()
    assert started["message"]["content"]["text"] == "Hi"
    assert started["message"]["seq"] == 1
    assert started["session"]["message_count"] == 1
    admin = await workspace.agent(Role.ADMIN)
    assert await types(admin, started["session"]["id"]) == ["message.created"]


async def test_a_session_may_begin_without_words(customer: Person) -> None:
    started = (await start(customer)).json()
    assert (started["message"], started["cursor"]) == (None, "c1.p.0")
    assert started["session"]["last_message"] is None
    assert await customer.events(started["session"]["id"], after=started["cursor"]) == []


@pytest.mark.conformance(14)
async def test_repeated_session_start_returns_same_session_and_message(
    workspace: Workspace, customer: Person, clock: TurningClock
) -> None:
    body: Json = {"client_session_id": unique(), "initial_message": message()}
    first = await start(customer, **body)
    assert first.status_code == 201
    await act(customer, ids(first)[0], "close")
    clock.turn(days=29)
    again = await start(await renew(customer), **body)
    assert (again.status_code, ids(again)) == (200, ids(first))
    admin = await workspace.agent(Role.ADMIN)
    assert await types(admin, ids(first)[0]) == ["message.created", "session.closed"]


@pytest.mark.conformance(16)
async def test_session_start_in_two_tabs_at_once_gives_one_session(customer: Person) -> None:
    bodies = [
        {"mode": "resume_or_create", "client_session_id": unique(), "initial_message": message()}
        for _ in range(8)
    ]
    answers = await asyncio.gather(*(start(customer, **body) for body in bodies))
    assert sorted(answer.status_code for answer in answers) == [200] * 7 + [201]
    assert len({ids(answer)[0] for answer in answers}) == 1
    assert len(await customer.messages(ids(answers[0])[0])) == 8


async def test_copies_of_one_start_at_once_give_one_session(customer: Person) -> None:
    body: Json = {"client_session_id": unique(), "initial_message": message()}
    answers = await asyncio.gather(*(start(customer, **body) for _ in range(10)))
    assert sorted(answer.status_code for answer in answers) == [200] * 9 + [201]
    assert len({ids(answer) for answer in answers}) == 1
    assert len(await customer.messages(ids(answers[0])[0])) == 1


async def test_a_repeat_of_a_start_that_resumed_finds_what_it_resumed(customer: Person) -> None:
    first = await start(customer, initial_message=message())
    resuming: Json = {
        "mode": "resume_or_create",
        "client_session_id": unique(),
        "initial_message": message("Once more"),
    }
    resumed = await start(customer, **resuming)
    assert (resumed.status_code, ids(resumed)[0]) == (200, ids(first)[0])
    await act(customer, ids(first)[0], "close")
    again = await start(customer, **resuming)
    assert (again.status_code, ids(again)) == (200, ids(resumed))


@pytest.mark.conformance(15)
async def test_client_session_id_with_other_first_message_is_422(customer: Person) -> None:
    body: Json = {"client_session_id": unique(), "initial_message": message("One")}
    assert (await start(customer, **body)).status_code == 201
    other_words = {**body["initial_message"], "content": {"type": "text", "text": "Two"}}
    for other in (message("One"), other_words):
        answer = await start(customer, **{**body, "initial_message": other})
        assert answer.status_code == 422
        assert answer.json()["code"] == "client_session_id_reused"
    assert len(await customer.messages(ids(await start(customer, **body))[0])) == 1


async def test_a_start_repeated_without_its_message_finds_the_session(customer: Person) -> None:
    body: Json = {"client_session_id": unique()}
    first = await start(customer, **body, initial_message=message())
    again = await start(customer, **body)
    assert (again.status_code, again.json()["message"]) == (200, None)
    assert again.json()["session"]["id"] == ids(first)[0]
    added = await start(customer, **body, initial_message=message())
    assert added.json()["code"] == "client_session_id_reused"


async def test_client_session_id_is_the_customers_own(workspace: Workspace) -> None:
    ada, carl = await workspace.customer(), await workspace.customer()
    body: Json = {"client_session_id": unique(), "initial_message": message()}
    answers = [await start(ada, **body), await start(carl, **body)]
    assert [answer.status_code for answer in answers] == [201, 201]
    assert ids(answers[0]) != ids(answers[1])


async def test_resume_takes_the_session_with_the_newest_activity(customer: Person) -> None:
    older, newer = (await customer.start())["session"], (await customer.start())["session"]
    resume = {"mode": "resume_or_create"}
    assert (await start(customer, **resume)).json()["session"]["id"] == newer["id"]
    await customer.send(older["id"])
    assert (await start(customer, **resume)).json()["session"]["id"] == older["id"]


async def test_resume_starts_anew_where_all_are_closed(customer: Person) -> None:
    closed = (await customer.start())["session"]["id"]
    await act(customer, closed, "close")
    answer = await start(customer, mode="resume_or_create", initial_message=message())
    assert answer.status_code == 201
    assert answer.json()["session"]["previous_session_id"] == closed


async def test_resume_wakes_a_resting_session_by_its_message(
    workspace: Workspace, customer: Person
) -> None:
    session_id = (await customer.start())["session"]["id"]
    await put_to_rest(workspace, session_id, Status.PENDING)
    answer = await start(customer, mode="resume_or_create", initial_message=message())
    assert answer.json()["session"]["id"] == session_id
    admin = await workspace.agent(Role.ADMIN)
    assert (await show(admin, session_id))["status"] == "queued"


async def test_a_new_session_points_back_to_the_one_before(customer: Person) -> None:
    first = (await customer.start())["session"]
    second = (await customer.start())["session"]
    assert first["previous_session_id"] is None
    assert second["previous_session_id"] == first["id"]


async def test_the_limit_of_open_sessions_is_exact_under_concurrency(
    workspace: Workspace, customer: Person
) -> None:
    limit = workspace.service.config.limits.open_sessions
    answers = await asyncio.gather(*(start(customer) for _ in range(12)))
    refused = [answer for answer in answers if answer.status_code != 201]
    assert len(refused) == 12 - limit
    assert {answer.json()["code"] for answer in refused} == {"too_many_open_sessions"}
    assert {answer.status_code for answer in refused} == {409}
    assert len((await customer.get("/v1/sessions")).json()["data"]) == limit


async def test_a_closed_session_makes_room_for_another(customer: Person) -> None:
    started = [(await customer.start())["session"]["id"] for _ in range(3)]
    assert (await start(customer)).status_code == 409
    await act(customer, started[0], "close")
    assert (await start(customer)).status_code == 201


async def test_a_repeat_is_answered_at_the_limit(customer: Person) -> None:
    body: Json = {"client_session_id": unique(), "initial_message": message()}
    first = await start(customer, **body)
    for _ in range(2):
        await customer.start()
    assert (await start(customer)).status_code == 409
    assert ids(await start(customer, **body)) == ids(first)
    assert (await start(customer, mode="resume_or_create")).status_code == 200


async def test_a_first_message_that_is_refused_leaves_no_session(customer: Person) -> None:
    bad = message("Hi", reply_to_id="0199a1c2-7c1e-7d0b-9a55-0d6c2f1b7e10")
    answer = await start(customer, initial_message=bad)
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (422, "unknown_message")
    assert (await customer.get("/v1/sessions")).json()["data"] == []
