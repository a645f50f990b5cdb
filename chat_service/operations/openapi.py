"""The API's document, OpenAPI 3.1, made from the routes and their models.

Repairs what the generator leaves: named schemas, unique operation ids, required bodies, headers,
security, and an order that is the same each time. What may be answered stands in `responses`.
"""

import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from pydantic.json_schema import models_json_schema
from quart import Quart
from quart_schema import QuartSchema
from quart_schema.openapi import Info, OpenAPIProvider
from quart_schema.validation import DataSource
from werkzeug.routing import UUIDConverter
from werkzeug.routing.converters import BaseConverter
from werkzeug.routing.rules import Rule

from chat_service.operations import responses
from chat_service.site import COOKIE
from chat_service.transport import Problem
from chat_service.web import JSON, Documented, Who, documented

DESCRIPTION: Final = """Start a chat session, send messages, read them back.

Every answer has a `Request-Id`. Every error is a problem document (RFC 9457) whose `code` is stable
and whose `type` is a page of this service. A send that was answered is durable; repeat any send with
the same `client_message_id` until it is answered: there will be one message.
"""
SCHEMES: Final = {
    "customerToken": Who.CUSTOMER,
    "agentToken": Who.AGENT,
    "agentCookie": Who.AGENT,
    "apiKey": Who.KEY,
    "platformToken": Who.PLATFORM,
}
SECURITY: Final[Mapping[str, Mapping[str, str]]] = {
    name: {"type": "http", "scheme": "bearer", "bearerFormat": form, "description": source}
    for name, form, source in (
        ("customerToken", "JWT", "From `POST /v1/inboxes/{inbox_key}/customers`."),
        ("agentToken", "opaque", "From `POST /v1/auth/sign-in`; begins with `at_`."),
        ("apiKey", "opaque", "From `POST /v1/api-keys`; begins with `sk_`."),
        ("platformToken", "opaque", "The installation's own, from `auth.platform_token`."),
    )
} | {
    "agentCookie": {
        "type": "apiKey",
        "in": "cookie",
        "name": COOKIE,
        "description": "From `POST /v1/auth/sign-in` with `cookie`; writes need the `Origin` of the "
        "service's own pages.",
    }
}
TAGS: Final = {
    "customers": "People served: they begin at an inbox, and show there who they are.",
    "auth": "Signing in and out, and renewing tokens.",
    "agents": "Staff: whether they are there.",
    "workspace": "The caller's own tenant.",
    "workspaces": "Tenants, made by whoever runs the installation.",
    "inboxes": "Entry points of sites: rules, origins, and the keys by which a site vouches for visitors.",
    "api-keys": "Credentials of programs.",
    "audit-entries": "Who did what.",
    "sessions": "Chats: start, find, assign, close.",
    "messages": "What is said in a session.",
    "realtime": "Live delivery over sockets.",
    "events": "What happened, in order, to read on from where one stopped.",
    "roles": "What agents may do: built-in sets of permissions, and those of the workspace's own.",
    "teams": "Agents who serve the same sessions, which are open to them by that.",
    "health": "Whether the service is alive and ready.",
}
REF: Final = "#/components/schemas/"
EVENT_STREAM: Final = {
    "type": "string",
    "description": "Server-sent events, for as long as the connection lives; each of the log has the"
    " cursor behind it as its `id`. See `/asyncapi.json`.",
}


def build_document(app: Quart) -> dict[str, Any]:
    """The whole document, with everything in a fixed order."""
    app.config.setdefault("QUART_SCHEMA_CONVERSION_PREFERENCE", "pydantic")
    app.config.setdefault("QUART_SCHEMA_CONVERT_CASING", False)
    info = Info(title="chat-service", version="1", description=DESCRIPTION)
    document = _Provider(app, QuartSchema(info=info)).schema()
    document["info"]["license"] = {"name": "Apache-2.0", "identifier": "Apache-2.0"}
    document["tags"] = [{"name": name, "description": text} for name, text in TAGS.items()]
    document["paths"] = dict(sorted(document["paths"].items()))
    document["components"] = {
        "schemas": _schemas(document["components"]["schemas"]),
        "examples": responses.examples(),
        "headers": responses.headers(),
        "securitySchemes": SECURITY,
    }
    return document


def _schemas(found: Mapping[str, Any]) -> dict[str, Any]:
    """All schemas by name, without the titles that only repeat a field's name."""
    _, own = models_json_schema([(Problem, "serialization")], ref_template=REF + "{model}")
    schemas = dict(sorted({**found, **own["$defs"], "EventStream": EVENT_STREAM}.items()))
    for schema in schemas.values():
        for field in schema.get("properties", {}).values():
            field.pop("title", None)
    return schemas


class _Provider(OpenAPIProvider):
    def generate_rules(self) -> Iterable[Rule]:
        rules = super().generate_rules()
        shown = [rule for rule in rules if rule.rule.startswith(("/v1", "/health"))]
        return sorted(shown, key=lambda rule: (rule.rule, sorted(rule.methods or ())))

    def operation_id(self, method: str, path: str, func: Callable[..., Any]) -> str | None:
        return func.__name__

    def build_path_parameter(self, name: str, converter: BaseConverter) -> dict[str, Any]:
        parameter = super().build_path_parameter(name, converter)
        if isinstance(converter, UUIDConverter):
            parameter["schema"]["format"] = "uuid"
        return parameter

    def build_querystring_parameters(self, model: Any) -> tuple[list[Any], dict[str, Any]]:
        parameters, definitions = super().build_querystring_parameters(model)
        required = model.model_json_schema().get("required", [])
        for parameter in parameters:
            parameter["required"] = parameter["name"] in required
            parameter["schema"] = _of_a_query(parameter["schema"])
        return parameters, definitions

    def build_request_body(self, model: Any, source: DataSource) -> tuple[Any, dict[str, Any]]:
        body, definitions = super().build_request_body(model, source)
        _name(body["content"][JSON], definitions)
        body["required"] = bool(model.model_json_schema().get("required"))
        return body, definitions

    def build_response_object(
        self, model: Any, headers_model: Any
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        answer, definitions = super().build_response_object(model, headers_model)
        _name(answer["content"][JSON], definitions)
        return answer, definitions

    def build_paths(self, rule: Rule) -> tuple[dict[str, Any], dict[str, Any]]:
        paths, definitions = super().build_paths(rule)
        view = self._app.view_functions[rule.endpoint]
        for path, methods in paths.items():
            for method, operation in methods.items():
                text = inspect.getdoc(view) or ""
                _complete(method, path, operation, documented(view), text)
        return paths, definitions


def _complete(
    method: str, path: str, operation: dict[str, Any], about: Documented, text: str
) -> None:
    """Add what the generator does not know of an operation."""
    summary, stop, rest = " ".join(text.split()).partition(". ")
    operation["summary"] = summary + stop.strip() if stop else summary
    operation["description"] = rest
    operation["tags"] = [_tag(path)]
    operation["security"] = [{name: []} for name, kind in SCHEMES.items() if kind in about.who]
    operation["parameters"] = operation["parameters"] + [
        {"name": one.name, "in": "header", "required": False} | responses.described(one)
        for one in about.takes
    ]
    operation["responses"] = responses.of(method, operation, about)


def _tag(path: str) -> str:
    """The last word of a path that is one of the tags."""
    words = [word for word in path.split("/") if word in TAGS]
    return words[-1]


def _name(media: dict[str, Any], definitions: dict[str, Any]) -> None:
    """Move an inline schema among the named ones."""
    title = media["schema"]["title"]
    definitions[title] = media["schema"]
    media["schema"] = {"$ref": REF + title}


def _of_a_query(schema: dict[str, Any]) -> dict[str, Any]:
    """A parameter's schema: left out is the only way of being null."""
    schema.pop("title", None)
    if "anyOf" not in schema:
        return schema
    kinds = [kind for kind in schema.pop("anyOf") if kind != {"type": "null"}]
    schema.pop("default", None)
    return schema | kinds[0] if len(kinds) == 1 else schema | {"anyOf": kinds}
