"""A client that goes from node to node: it keeps what it applied, with the cursor of the last."""

from contextlib import suppress
from dataclasses import dataclass, field

from websockets.exceptions import WebSocketException

from chat_service.test.builders import Json, Person
from chat_service.test.realtime.talkers import Address, Socket

CUT = (OSError, EOFError, TimeoutError, WebSocketException)
"""How a connection ends that nobody ended well."""


@dataclass
class Roamer:
    """Somebody who reads one session, wherever he is let in; sockets check the client rule."""

    person: Person
    session_id: str
    start: str = "c1.p.0"
    applied: list[Json] = field(default_factory=list)

    @property
    def cursor(self) -> str:
        """After what was applied last."""
        return str(self.applied[-1]["cursor"]) if self.applied else self.start

    @property
    def seq(self) -> int:
        """The number of what was applied last."""
        return int(self.applied[-1]["seq"]) if self.applied else 0

    async def read_on(self, address: Address, *, upto: int) -> None:
        """Resume at a node and apply until that number has come."""
        async with address.socket(self.person) as socket:
            await self._resume(socket, upto)

    async def try_to_read_on(self, address: Address, *, upto: int) -> None:
        """The same, but be content with what comes before the connection ends."""
        with suppress(*CUT):
            await self.read_on(address, upto=upto)

    async def _resume(self, socket: Socket, upto: int) -> None:
        try:
            await socket.follow(self.session_id, after=self.cursor)
            await socket.until_seq(self.session_id, upto)
        finally:
            told = socket.events.get(f"session:{self.session_id}", [])
            self.applied += told
            resets = [frame for frame in socket.heard if frame["op"] in ("reset", "snapshot")]
            assert resets == []
