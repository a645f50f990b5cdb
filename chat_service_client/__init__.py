"""The Python client of chat-service: start, send with retry, follow with automatic resume.

    async with AsyncChat("https://chat.example.org") as chat:
        await chat.begin("ib_…", name="Ada")
        session = await chat.start("Where is my order?")
        async for event in chat.follow(session["id"]):
            print(event["type"])

`Chat` is the same without `async`. Both send a message until it is answered, which is safe: each
message carries an id made here. `follow` gives each event once and in order, over WebSocket, else
server-sent events, else long-poll, and goes on after every cut from where it was.
"""

from chat_service_client.aio import AsyncChat
from chat_service_client.errors import Problem, ResetByServer
from chat_service_client.sync import Chat

__all__ = ["AsyncChat", "Chat", "Problem", "ResetByServer"]
