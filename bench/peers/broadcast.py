"""Quart alone, the way its documentation broadcasts: a queue for each socket, and no database.

Run by uvicorn with one worker. What is POSTed goes to everybody; nobody is asked who he is, nothing
is kept.
"""

import asyncio
from typing import Any

from quart import Quart, request, websocket

app = Quart(__name__)
queues: set[asyncio.Queue[str]] = set()


@app.get("/")
async def index() -> str:
    return "here"


@app.post("/messages")
async def send_message() -> Any:
    text = (await request.get_json())["text"]
    for queue in queues:
        await queue.put(text)
    return {"sent": len(queues)}, 201


@app.websocket("/ws")
async def listen() -> None:
    await websocket.accept()
    queue: asyncio.Queue[str] = asyncio.Queue()
    queues.add(queue)
    try:
        while True:
            await websocket.send(await queue.get())
    finally:
        queues.remove(queue)
