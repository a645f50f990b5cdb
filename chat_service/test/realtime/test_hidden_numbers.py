"""No number of the staff's log reaches a customer, over whatever transport."""

import asyncio
import json

import pytest

from chat_service.schema import Role
from chat_service.test.builders import Person, Workspace
from chat_service.test.realtime.talkers import PATIENCE, Address, Socket
from chat_service.test.sessions.calls import waiting
from chat_service.test.views.test_customers import (
    STAFF_NUMBER,
    all_of,
    lift_staff_numbers,
    live,
    looks,
    stumbles,
)


async def stumble(socket: Socket, session_id: str, hidden: str) -> None:
    """Say what is refused, or answered by a reset."""
    stream = f"session:{session_id}"
    await socket.send(session_id, reply_to_id=hidden)
    await socket.say(op="read", session_id=session_id, read_seq=10**9)
    await socket.until("error", id=None)
    for cursor in ("c1.s.1.00000000", "c1.p.1.00000000", "c1.p.999.00000000"):
        await socket.ask("unsubscribe", stream=stream)
        await socket.ask("subscribe", stream=stream, after=cursor)


async def streamed(address: Address, person: Person, session_id: str, upto: str) -> str:
    """A stream from its begin to an event, as it is written."""
    async with address.stream(person, session_id, after_seq=0) as source:
        text = str(source.response.headers)
        async with asyncio.timeout(PATIENCE):
            async for chunk in source.response.aiter_text():
                text += chunk
                if upto in text:
                    break
    return text


@pytest.mark.conformance("no_customer_frame_page_header_etag_cursor_or_error_holds_a_staff_seq")
@pytest.mark.asvs("8.2.3", "15.3.1")
@pytest.mark.api_top10("API3")
async def test_no_customer_frame_page_header_etag_cursor_or_error_holds_a_staff_seq(
    address: Address, workspace: Workspace
) -> None:
    admin, customer = await workspace.agent(Role.ADMIN), await workspace.customer()
    session_id = await waiting(customer)
    await lift_staff_numbers(workspace, session_id)
    note = (await admin.send(session_id, visibility="internal")).json()["message"]
    async with address.socket(customer) as phone, address.socket(admin) as desk:
        await phone.follow(session_id, after="c1.p.0")
        await desk.follow(session_id)
        answers = await live(customer, admin, session_id)
        last = (await customer.events(session_id, limit=500))[-1]
        told = [await phone.until_seq(session_id, last["seq"])]
        await stumble(phone, session_id, note["id"])
        stream = f"session:{session_id}"
        told += [phone.heard, [await phone.until("snapshot", stream=stream)]]
        whole = (await admin.send(session_id, visibility="internal")).json()["message"]
        seen_by_staff = await desk.until_seq(session_id, whole["seq"])
    answers += await looks(customer, session_id)
    answers += await stumbles(customer, session_id, note["id"])
    assert [answer.status_code for answer in answers if answer.status_code >= 500] == []
    texts = [*map(all_of, answers), json.dumps(told)]
    texts.append(await streamed(address, customer, session_id, last["cursor"]))
    found = [STAFF_NUMBER.search(text) for text in texts]
    assert not [match.group() for match in found if match]
    assert {"7340", "8650"} <= set(STAFF_NUMBER.findall(json.dumps(seen_by_staff)))
