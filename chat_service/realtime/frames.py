"""The frames of `chat.v1`: what a client may say over a socket, and what the server says.

One JSON object a text frame; `op` names it. Frames that answer repeat the `id` of the one they answer.
"""

from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field, TypeAdapter

from chat_service.messages.transport import NewMessage
from chat_service.realtime.state_frames import Read, SessionState, Typing
from chat_service.schema import View
from chat_service.sessions.transport import StaffSession
from chat_service.transport import LARGEST, Request, Response, Text, Time
from chat_service.views.transport import CustomerEnvelope, StaffEnvelope

SUBPROTOCOL = "chat.v1"
SESSION = "session:"
SESSIONS = "sessions"
Number = Annotated[int, Field(ge=0, le=LARGEST)]
Id = Annotated[int, Field(ge=0, le=LARGEST)]
# One spelling for each session: a stream is known by its name.
_UUID = "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
StreamName = Annotated[str, Field(pattern=rf"^(sessions|session:{_UUID})$", max_length=64)]
DeviceId = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.:-]{1,64}$")]


class Client(Request):
    """The program behind the socket."""

    name: Text = Field(max_length=64)
    version: Text = Field(max_length=64)


class Hello(Request):
    """The first frame, within 10 s: a token, or a ticket for who is signed in by cookie."""

    op: Literal["hello"]
    token: Text | None = Field(default=None, max_length=2_048)
    ticket: Text | None = Field(default=None, max_length=256)
    device_id: DeviceId | None = None
    client: Client | None = None
    features: list[Annotated[str, Field(max_length=32)]] = Field(default=[], max_length=16)


class WantedSnapshot(Request):
    """Begin with the session as it is, and its newest messages."""

    messages: int = Field(default=50, ge=0, le=200)


class Subscribe(Request):
    """Follow a session from a cursor or a snapshot, or a view of the agents' list.

    For the list, `after` is the `feed_cursor` of the page that was listed: the first `window` of the
    view's sessions that are not closed. Without it the first frame holds them. After a `reset` the
    list is followed no more: list it again, and subscribe after the new cursor.
    """

    op: Literal["subscribe"]
    id: Id
    stream: StreamName
    after: str | None = Field(default=None, max_length=512)
    snapshot: WantedSnapshot | None = None
    on_reset: Literal["snapshot", "error"] = "snapshot"
    view: View = "all"
    window: int = Field(default=50, ge=1, le=200)


class Unsubscribe(Request):
    """Follow a stream no more."""

    op: Literal["unsubscribe"]
    id: Id
    stream: StreamName


class Send(NewMessage):
    """A message: the same lane, checks and result as the POST."""

    op: Literal["send"]
    id: Id
    session_id: UUID


class Auth(Request):
    """A new token or ticket before the old one ends."""

    op: Literal["auth"]
    id: Id
    token: Text | None = Field(default=None, max_length=2_048)
    ticket: Text | None = Field(default=None, max_length=256)


class Ping(Request):
    """Whether the other side is there; it answers with the same `t`."""

    op: Literal["ping"]
    t: Number = 0


class Pong(Request):
    """The answer to a ping."""

    op: Literal["pong"]
    t: Number = 0


ClientFrame = Annotated[
    Hello | Subscribe | Unsubscribe | Send | Read | Typing | Auth | Ping | Pong,
    Field(discriminator="op"),
]
CLIENT_FRAME: TypeAdapter[ClientFrame] = TypeAdapter(ClientFrame)


class Limits(Response):
    """What a socket may send."""

    frame_bytes: int
    frames_per_second: int
    subscriptions: int


class Welcome(Response):
    """Who connected is known. `heartbeat_ms`: how often something comes at least.

    `connection_id` is the `request_id` of this socket's problems and of its lines in the log.
    """

    op: Literal["welcome"] = "welcome"
    connection_id: UUID
    heartbeat_ms: int
    token_expires_at: Time | None
    limits: Limits
    server_time: Time


class Subscribed(Response):
    """A stream is followed, from the cursor that was given where `resumed`."""

    op: Literal["subscribed"] = "subscribed"
    id: int
    stream: str
    head_seq: int
    resumed: bool
    state: SessionState | None


class Snapshot(Response):
    """A session as it was at `as_of_seq`; its events go on behind that."""

    op: Literal["snapshot"] = "snapshot"
    stream: str
    as_of_seq: int
    cursor: str
    session: dict[str, Any]
    messages: list[dict[str, Any]]


class Ack(Response):
    """What a frame with an `id` came to."""

    op: Literal["ack"] = "ack"
    id: int
    result: dict[str, Any]


class Error(Response):
    """A frame was refused, with a problem as of any request; its pointers lead into the frame."""

    op: Literal["error"] = "error"
    id: int | None
    problem: dict[str, Any]


class Events(Response):
    """What happened, in order and without a hole: up to 64 at once."""

    op: Literal["events"] = "events"
    stream: str
    events: list[StaffEnvelope | CustomerEnvelope]


class Sessions(Response):
    """What has changed in the first `window` of a view, by newest activity.

    `removed` have left it; `counts` are the sizes of the views, up to 1,000, null where they are as
    before. Where `cursor` is null the rest follows at once.
    """

    op: Literal["sessions"] = "sessions"
    changed: list[StaffSession]
    removed: list[UUID]
    counts: dict[View, int] | None
    cursor: str | None


class Live(Response):
    """What had happened before is told; from here on events come as they happen."""

    op: Literal["live"] = "live"
    stream: str
    seq: int


class ResetFrame(Response):
    """The log is not what the cursor was made for: forget, and begin with what follows."""

    op: Literal["reset"] = "reset"
    stream: str
    reason: str


class Unsubscribed(Response):
    """A stream has ended; with `resubscribe` it may be asked for again."""

    op: Literal["unsubscribed"] = "unsubscribed"
    stream: str
    code: str
    resubscribe: bool


class Goodbye(Response):
    """The last words before the socket is closed."""

    op: Literal["goodbye"] = "goodbye"
    code: int
    reason: str
    reconnect: bool
    after_ms: int


class Beat(Response):
    """A ping or pong of the server."""

    op: Literal["ping", "pong"]
    t: int
