"""`chat-service openapi`: print the API's document."""

import click
import orjson

from chat_service import routes
from chat_service.operations.openapi import build_document
from chat_service.requests import Framework


@click.command()
def command() -> None:
    """Print the API's document, OpenAPI 3.1."""
    app = Framework("chat_service")
    routes.register(app)
    document = build_document(app)
    print(orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS).decode())
