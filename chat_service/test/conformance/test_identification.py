"""Who writes is the same person before and after he showed who he is."""

import pytest

from chat_service.test.builders import Workspace, message
from chat_service.test.customers.site import identified, site_of
from chat_service.test.realtime.talkers import Address


@pytest.mark.conformance("message_retried_after_identification_is_one_message")
@pytest.mark.parametrize("known", [False, True], ids=["who becomes it", "who turns out to be it"])
async def test_message_retried_after_identification_is_one_message(
    workspace: Workspace, address: Address, known: bool
) -> None:
    site = await site_of(workspace)
    if known:
        await identified(site, device="desk")
    visitor = await workspace.customer()
    begun = await visitor.start()
    session_id, again = begun["session"]["id"], message("sent twice")
    path = f"/v1/sessions/{session_id}/messages"
    first = (await visitor.post(path, again)).json()["message"]
    ada = await identified(site, by=visitor)
    repeated = await ada.post(path, again)
    assert repeated.status_code == 201
    assert repeated.headers["Idempotent-Replayed"] == "true"
    assert repeated.json()["message"]["id"] == first["id"]
    async with address.socket(ada) as socket:
        answer = await socket.ask("send", session_id=session_id, **again)
        assert answer["result"]["message"]["id"] == first["id"]
    assert [one["id"] for one in await ada.messages(session_id)] == [
        begun["message"]["id"],
        first["id"],
    ]
    assert (await visitor.post(path, message())).status_code == 401
