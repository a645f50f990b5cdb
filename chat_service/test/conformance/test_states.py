"""What is told beside the log, as clients see it: 50 of the protocol."""

import asyncio

import pytest

from chat_service.test.builders import Json
from chat_service.test.conformance.scene import Scene
from chat_service.test.realtime.talkers import Address
from chat_service.test.realtime.test_states import mark_of, state_until

RELOADS = 2
RELOAD_SECONDS = 0.5
"""Longer than states wait to be told, and far shorter than the grace."""


def is_online(state: Json) -> bool:
    """Whether staff are shown the customer as there."""
    return bool(state["presence"]["customer_online"])


@pytest.mark.conformance(50)
async def test_presence_survives_reload_without_flicker(address: Address, scene: Scene) -> None:
    """With each reload he reads a message: when that is told, what was told of the reload is."""
    customer, session_id = scene.customer, scene.session_id
    async with address.socket(scene.boss) as desk:
        await desk.follow(session_id)
        async with address.socket(customer):
            await state_until(desk, session_id, is_online)
        for reload in range(RELOADS):
            await asyncio.sleep(RELOAD_SECONDS)
            async with address.socket(customer) as phone:
                await phone.follow(session_id)
                seq = (await phone.send(session_id))["result"]["message"]["seq"]
                while True:
                    state = await desk.until("state", session_id=session_id)
                    assert is_online(state), reload
                    if mark_of(state, customer)["read_seq"] == seq:
                        break
