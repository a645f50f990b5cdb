"""`chat-service openapi`: print the API's document."""

import click
import orjson

from chat_service.app import create_app
from chat_service.config import load_config
from chat_service.operations.openapi import build_document


@click.command()
def command() -> None:
    """Print the API's document, OpenAPI 3.1."""
    document = build_document(create_app(load_config()).quart)
    print(orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS).decode())
