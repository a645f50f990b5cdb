"""The API's document, OpenAPI 3.1, made from the routes and their models.

Repairs what the generator leaves: named schemas, unique operation ids, required bodies, errors,
security, and an order that is the same each time.
"""

from collections.abc import Callable, Iterable
from typing import Any, Final

from quart import Quart
from quart_schema import QuartSchema
from quart_schema.openapi import Info, OpenAPIProvider
from quart_schema.validation import DataSource
from werkzeug.routing import UUIDConverter
from werkzeug.routing.converters import BaseConverter
from werkzeug.routing.rules import Rule

from chat_service.errors import (
    BadRequest,
    BodyTooLarge,
    DatabaseUnavailable,
    Forbidden,
    InvalidParameter,
    MalformedBody,
    ServiceError,
    Unauthenticated,
    UnknownParameter,
    UnsupportedMediaType,
    ValidationFailed,
)
from chat_service.transport import Problem
from chat_service.web import PROBLEM, Documented, Who, documented

DESCRIPTION: Final = """Start a chat session, send messages, read them back.

Every answer has a `Request-Id`. Every error is a problem document (RFC 9457) whose `code` is stable
and whose `type` is a page of this service. A send that was answered is durable; repeat any send with
the same `client_message_id` until it is answered: there will be one message.
"""
SCHEMES: Final = {Who.CUSTOMER: "customerToken", Who.AGENT: "agentToken", Who.KEY: "apiKey"}
PROBLEM_REF: Final = {"$ref": "#/components/schemas/Problem"}


def build_document(app: Quart) -> dict[str, Any]:
    """The whole document, with everything in a fixed order."""
    app.config.setdefault("QUART_SCHEMA_CONVERSION_PREFERENCE", "pydantic")
    app.config.setdefault("QUART_SCHEMA_CONVERT_CASING", False)
    info = Info(title="chat-service", version="1", description=DESCRIPTION)
    document = _Provider(app, QuartSchema(info=info)).schema()
    schemas = document["components"]["schemas"]
    schemas["Problem"] = Problem.model_json_schema(
        mode="serialization", ref_template="#/components/schemas/{model}"
    )
    schemas |= schemas["Problem"].pop("$defs")
    document["components"]["schemas"] = dict(sorted(schemas.items()))
    document["components"]["securitySchemes"] = {
        "customerToken": _bearer("From `POST /v1/inboxes/{inbox_key}/customers`.", "JWT"),
        "agentToken": _bearer("From `POST /v1/auth/sign-in`; begins with `at_`.", "opaque"),
        "apiKey": _bearer("Made by `chat-service create-key`; begins with `sk_`.", "opaque"),
    }
    document["paths"] = dict(sorted(document["paths"].items()))
    return document


def _bearer(description: str, form: str) -> dict[str, str]:
    return {"type": "http", "scheme": "bearer", "bearerFormat": form, "description": description}


class _Provider(OpenAPIProvider):
    def generate_rules(self) -> Iterable[Rule]:
        shown = [
            rule for rule in super().generate_rules() if rule.rule.startswith(("/v1", "/health"))
        ]
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
        return parameters, definitions

    def build_request_body(self, model: Any, source: DataSource) -> tuple[Any, dict[str, Any]]:
        body, definitions = super().build_request_body(model, source)
        self._name(body["content"]["application/json"], definitions)
        body["required"] = bool(model.model_json_schema().get("required"))
        return body, definitions

    def build_response_object(
        self, model: Any, headers_model: Any
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        answer, definitions = super().build_response_object(model, headers_model)
        self._name(answer["content"]["application/json"], definitions)
        answer["headers"] = {
            "Request-Id": {"schema": {"type": "string"}, "description": "Names this request."}
        }
        return answer, definitions

    def _name(self, media: dict[str, Any], definitions: dict[str, Any]) -> None:
        """Move an inline schema among the named ones."""
        title = media["schema"]["title"]
        definitions[title] = media["schema"]
        media["schema"] = {"$ref": f"#/components/schemas/{title}"}

    def build_paths(self, rule: Rule) -> tuple[dict[str, Any], dict[str, Any]]:
        paths, definitions = super().build_paths(rule)
        about = documented(self._app.view_functions[rule.endpoint])
        for path in paths.values():
            for operation in path.values():
                self._complete(operation, rule, about)
        return paths, definitions

    def _complete(self, operation: dict[str, Any], rule: Rule, about: Documented) -> None:
        operation["tags"] = [rule.endpoint.partition(".")[0]]
        operation["security"] = [{name: []} for kind, name in SCHEMES.items() if kind in about.who]
        responses = {str(status): answer for status, answer in operation["responses"].items()}
        for status, model in about.answers.items():
            if model is None:
                responses[str(status)] = {"description": "Done."}
        responses |= _problems([*about.errors, *_usual(operation, about)])
        operation["responses"] = dict(sorted(responses.items()))


def _usual(operation: dict[str, Any], about: Documented) -> list[type[ServiceError]]:
    """What any route of this kind may answer."""
    errors: list[type[ServiceError]] = [UnknownParameter, BadRequest]
    if Who.PUBLIC not in about.who:
        errors += [Unauthenticated, Forbidden, DatabaseUnavailable]
    if "requestBody" in operation:
        errors += [
            MalformedBody,
            BodyTooLarge,
            UnsupportedMediaType,
            ValidationFailed,
            DatabaseUnavailable,
        ]
    if operation["parameters"]:
        errors.append(InvalidParameter)
    return errors


def _problems(errors: Iterable[type[ServiceError]]) -> dict[str, Any]:
    """Problem responses by status, each naming the codes it may carry; and the default."""
    by_status: dict[str, dict[str, str]] = {}
    for error in errors:
        by_status.setdefault(str(error.status), {})[error.code] = error.title
    responses = {
        status: _problem("; ".join(f"`{code}`: {title}" for code, title in sorted(codes.items())))
        for status, codes in by_status.items()
    }
    return responses | {"default": _problem("Any other error.")}


def _problem(description: str) -> dict[str, Any]:
    return {"description": description, "content": {PROBLEM: {"schema": PROBLEM_REF}}}
