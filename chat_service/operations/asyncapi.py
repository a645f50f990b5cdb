"""The live protocol's document, AsyncAPI 3.1, made from the models of frames and events.

The same models check what comes in and write what goes out. Each type of event is a message of its
own, with an example of it.
"""

from collections.abc import Iterable
from typing import Any, Final, get_args

from pydantic import BaseModel, TypeAdapter
from pydantic.json_schema import models_json_schema

from chat_service.events.schema import AnyEvent
from chat_service.operations.event_examples import example_of
from chat_service.realtime import frames, state_frames
from chat_service.realtime.frames import SUBPROTOCOL
from chat_service.schema import Audience
from chat_service.transport import Problem
from chat_service.views.transport import CustomerEnvelope, StaffEnvelope

VERSION: Final = "3.1.0"
REF: Final = "#/components/schemas/"
SERVER_FRAMES: Final[tuple[type[BaseModel], ...]] = (
    frames.Welcome,
    frames.Subscribed,
    frames.Snapshot,
    frames.Events,
    frames.Live,
    frames.Sessions,
    state_frames.State,
    state_frames.Ephemeral,
    frames.Ack,
    frames.Error,
    frames.ResetFrame,
    frames.Unsubscribed,
    frames.Goodbye,
    frames.Beat,
)
DESCRIPTION: Final = """One WebSocket, one JSON object a text frame. `op` names the frame.

An upgrade that is refused is answered with a problem (RFC 9457): 403 for a page of a foreign origin,
404 at any other address, 426 without the subprotocol, 503 while the service shuts down.

Events of a session come in `events` frames, each once and in order. The same envelopes come over
server-sent events and long-poll (`GET /v1/sessions/{id}/events`).
"""


def build_asyncapi() -> dict[str, Any]:
    """The whole document, with everything in a fixed order."""
    messages = _client_messages() | _server_messages() | _event_messages()
    client = sorted(_client_messages())
    server = sorted(_server_messages())
    events = sorted(_event_messages())
    return {
        "asyncapi": VERSION,
        "info": {
            "title": "chat-service",
            "version": "1",
            "description": DESCRIPTION,
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "channels": {
            "realtime": {
                "address": "/v1/realtime",
                "description": f"The subprotocol `{SUBPROTOCOL}` must be offered.",
                "messages": {name: _message(name) for name in [*client, *server]},
                "bindings": {"ws": {"method": "GET", "bindingVersion": "0.1.0"}},
            },
            "events": {
                "address": None,
                "description": "What stands in `events` frames, in streams and on pages.",
                "messages": {name: _message(name) for name in events},
            },
        },
        "operations": {
            "fromClient": _operation("receive", "realtime", client),
            "toClient": _operation("send", "realtime", server),
            "event": _operation("send", "events", events),
        },
        "components": {"messages": dict(sorted(messages.items())), "schemas": _schemas()},
    }


def _client_messages() -> dict[str, Any]:
    union = get_args(get_args(frames.ClientFrame)[0])
    return {f"client.{_op(model)}": _of(model) for model in union}


def _server_messages() -> dict[str, Any]:
    return {f"server.{_op(model)}": _of(model) for model in SERVER_FRAMES}


def _event_messages() -> dict[str, Any]:
    """A message for each type of event; what customers see is the smaller envelope."""
    return {kind.model_fields["type"].default: _event(kind) for kind in get_args(AnyEvent)}


def _event(kind: Any) -> dict[str, Any]:
    example = example_of(kind)
    return {
        "name": example["type"],
        "summary": " ".join((kind.__doc__ or "").split()),
        "x-audience": _audience(kind),
        "payload": {
            "allOf": [
                {"$ref": f"{REF}StaffEnvelope"},
                {"properties": {"type": {"const": example["type"]}}},
            ]
        },
        "examples": [{"payload": example}],
    }


def _audience(kind: Any) -> str:
    allowed = get_args(kind.model_fields["audience"].annotation)
    return "workspace" if Audience.WORKSPACE in allowed else "public or internal"


def _of(model: type[BaseModel]) -> dict[str, Any]:
    return {
        "name": _op(model),
        "summary": " ".join((model.__doc__ or "").split()),
        "payload": {"$ref": REF + model.__name__},
    }


def _op(model: type[BaseModel]) -> str:
    return "/".join(get_args(model.model_fields["op"].annotation)).replace("/", "-")


def _message(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/messages/{name}"}


def _operation(action: str, channel: str, names: Iterable[str]) -> dict[str, Any]:
    return {
        "action": action,
        "channel": {"$ref": f"#/channels/{channel}"},
        "messages": [{"$ref": f"#/channels/{channel}/messages/{name}"} for name in names],
    }


def _schemas() -> dict[str, Any]:
    ref = REF + "{model}"
    given = [(model, "serialization") for model in (*SERVER_FRAMES, StaffEnvelope)]
    given += [(model, "serialization") for model in (CustomerEnvelope, Problem)]
    _, sent = models_json_schema(given, ref_template=ref)  # type: ignore[arg-type]
    taken = TypeAdapter(frames.ClientFrame).json_schema(ref_template=ref)["$defs"]
    return dict(sorted({**sent["$defs"], **taken}.items()))
