import asyncio
import gc
import sqlite3

import pytest

from chat_service.app import create_app
from chat_service.test.faults.leaving import *
from chat_service.test.server.apps import port_of, serving


@pytest.mark.timeout(100)
@pytest.mark.parametrize("rep", range(8))
async def test_x(service, workspace, rep):
    other = create_app(service.config)

    async def cutting(scope, receive, send):
        with other.database.bound():
            await other.quart(scope, receive, send)

    writes = await starts(workspace, len(DELAYS))
    async with serving(cutting) as server:
        for write, after in zip(writes, DELAYS, strict=True):
            await leave(port_of(server), write.request, after=after)
    await asyncio.sleep(0)
    print(
        "pool",
        other.database.engine.pool.status(),
        "locked",
        getattr(other.database.turn, "locked", lambda: None)(),
    )
    for o in gc.get_objects():
        if isinstance(o, sqlite3.Connection):
            try:
                print(o, o.in_transaction)
            except Exception as e:
                print(o, repr(e))
    for t in asyncio.all_tasks():
        print(str(t)[:150])
    if PRINT: await other.database.engine.dispose()
    path = make_url(service.config.database.url).database
    t = time.monotonic()
    while True:
        await asyncio.sleep(0.01)
        raw = sqlite3.connect(path, timeout=0, isolation_level=None)
        try:
            raw.execute("BEGIN IMMEDIATE"); raw.execute("ROLLBACK"); break
        except Exception as e: err = e
        finally: raw.close()
        if time.monotonic() - t > 20: print("STUCK", err); break
    print("FREE AFTER", round(time.monotonic()-t,3))
    for t in asyncio.all_tasks(): print(str(t)[:350])
