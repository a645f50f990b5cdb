"""What a connection waits by: nobody is forgotten, in order, whoever gives up."""

import asyncio

import pytest

from chat_service.server.waiting import Gate, Mailbox


async def test_an_open_gate_is_passed_at_once_and_a_shut_one_when_it_opens() -> None:
    gate = Gate()
    await gate.wait()
    gate.clear()
    assert not gate.is_set()
    waiting = [asyncio.create_task(gate.wait()) for _ in range(3)]
    await asyncio.sleep(0)
    assert not any(task.done() for task in waiting)
    gate.set()
    await asyncio.gather(*waiting)
    assert gate.is_set()


async def test_a_gate_that_shuts_again_at_once_lets_nobody_pass() -> None:
    gate = Gate()
    gate.clear()
    waiting = asyncio.create_task(gate.wait())
    await asyncio.sleep(0)
    gate.set()
    gate.clear()
    await asyncio.sleep(0.01)
    assert not waiting.done()
    gate.set()
    await waiting


async def test_who_gives_up_at_a_gate_does_not_take_the_others_along() -> None:
    gate = Gate()
    gate.clear()
    leaver, stayer = (asyncio.create_task(gate.wait()) for _ in range(2))
    await asyncio.sleep(0)
    leaver.cancel()
    await asyncio.sleep(0)
    gate.set()
    await stayer
    assert leaver.cancelled()


async def test_what_waits_is_taken_in_its_order() -> None:
    mailbox = Mailbox()
    assert not mailbox
    for number in range(3):
        mailbox.put_nowait(number)
    assert [await mailbox.get() for _ in range(3)] == [0, 1, 2]
    assert not mailbox


async def test_a_reader_is_woken_by_what_comes() -> None:
    mailbox = Mailbox()
    reading = asyncio.create_task(mailbox.get())
    await asyncio.sleep(0)
    mailbox.put_nowait(1)
    mailbox.put_nowait(2)
    assert await reading == 1
    assert await mailbox.get() == 2


@pytest.mark.parametrize("filled", [False, True])
async def test_what_came_for_a_reader_that_gave_up_waits_for_the_next(filled: bool) -> None:
    mailbox = Mailbox()
    reading = asyncio.create_task(mailbox.get())
    await asyncio.sleep(0)
    if filled:
        mailbox.put_nowait(1)
    reading.cancel()
    await asyncio.wait([reading])
    if not filled:
        mailbox.put_nowait(1)
    assert await mailbox.get() == 1
