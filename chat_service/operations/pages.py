"""The few pages the service itself shows: problems, API documents, and the start in development."""

import inspect
from html import escape
from typing import Final

from chat_service.errors import ServiceError, every_error

CSP: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
PROBLEMS: Final = {error.code: error for error in every_error()}


def problem_page(error: type[ServiceError]) -> str:
    """What a problem's `type` leads to: what happened and what to do."""
    text = inspect.getdoc(error) or ""
    paragraphs = "".join(f"<p>{escape(part)}</p>" for part in text.split("\n\n"))
    retry = "may be sent again as it is" if error.retryable else "must be changed first"
    return _page(
        error.title,
        f"<h1>{escape(error.title)}</h1><p><code>{error.code}</code>, status {error.status}; the"
        f' request {retry}.</p>{paragraphs}<p><a href="/docs">The API</a></p>',
    )


def docs_page() -> str:
    """Swagger UI, from our own files only."""
    return _page(
        "chat-service API",
        '<link rel="stylesheet" href="/static/docs/swagger-ui.css"><div id="swagger-ui"></div>'
        '<script src="/static/docs/swagger-ui-bundle.js"></script>'
        '<script src="/static/docs/docs-init.js"></script>',
    )


def start_page() -> str:
    """Where to look, in development."""
    return _page(
        "chat-service",
        "<h1>chat-service runs</h1><ul>"
        '<li><a href="/docs">The API, to try out</a></li>'
        '<li><a href="/openapi.json">Its document, OpenAPI 3.1</a></li>'
        '<li><a href="/health">Health</a></li></ul>'
        "<p>The credentials of the demo workspace are in <code>var/demo.txt</code>.</p>",
    )


def _page(title: str, body: str) -> str:
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title></head><body>{body}</body></html>"
    )
