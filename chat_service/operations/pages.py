"""The few pages the service itself shows: problems, API documents, and the start in development."""

import inspect
import re
from html import escape
from typing import Final

from chat_service.errors import ServiceError, every_error

PROBLEMS: Final = {error.code: error for error in every_error()}


def problem_page(error: type[ServiceError]) -> str:
    """What a problem's `type` leads to: what happened and what to do."""
    text = inspect.getdoc(error) or ""
    paragraphs = "".join(f"<p>{_marked(part)}</p>" for part in text.split("\n\n"))
    repeat = "Yes, as it is" if error.retryable else "Only changed"
    return _page(
        error.title,
        f"<h1>{escape(error.title)}</h1>{paragraphs}<dl>"
        f"<dt>Code</dt><dd><code>{error.code}</code></dd>"
        f"<dt>Status</dt><dd>{error.status}</dd>"
        f"<dt>Send it again?</dt><dd>{repeat}</dd></dl>"
        "<p>The problem document of the answer says more: <code>detail</code> in words,"
        " <code>errors</code> by field. Its <code>request_id</code> finds the request, or the socket,"
        " in the service's logs.</p>",
    )


def problems_page() -> str:
    """All problems by status."""
    rows = "".join(
        f"<tr><td>{error.status}</td>"
        f'<td><a href="/problems/{error.code}"><code>{error.code}</code></a></td>'
        f"<td>{escape(error.title)}</td></tr>"
        for error in sorted(PROBLEMS.values(), key=lambda error: (error.status, error.code))
    )
    head = "<tr><th>Status</th><th>Code</th><th>Title</th></tr>"
    return _page(
        "Problems",
        "<h1>Problems</h1><p>Every error is a problem document (RFC 9457) with one of these codes,"
        f" which never change their meaning.</p><table>{head}{rows}</table>",
    )


def docs_page() -> str:
    """Swagger UI, from our own files only."""
    return _page(
        "API",
        '<div id="swagger-ui"></div>'
        '<script src="/static/docs/swagger-ui-bundle.js"></script>'
        '<script src="/static/docs/docs-init.js"></script>',
        style='<link rel="stylesheet" href="/static/docs/swagger-ui.css">',
        wide=True,
    )


LINKS: Final = (
    ("/demo", "Demo", "A customer and an agent beside each other, live"),
    ("/docs", "The API", "Every address with its fields and answers, to read and to try out"),
    ("/openapi.json", "OpenAPI 3.1", "The same for programs"),
    ("/asyncapi.json", "AsyncAPI 3.1", "The live protocol, for programs"),
    ("/problems", "Problems", "What each error code means and what to do about it"),
    ("/health/ready", "Readiness", "Whether requests may be sent here"),
)


def start_page() -> str:
    """Where to look, in development."""
    links = "".join(
        f'<li><a href="{path}"><strong>{name}</strong><span>{text}</span></a></li>'
        for path, name, text in LINKS
    )
    return _page(
        "chat-service",
        "<h1>The chat service runs</h1>"
        "<p>A workspace to try things in has been made, with an inbox, an agent and an API key."
        " Its credentials stand in <code>var/demo.txt</code>, and a first request to paste where"
        f' the service was started.</p><ul class="links">{links}</ul>',
    )


def demo_page() -> str:
    """A customer and an agent, who talk over the public API."""
    return _page(
        "Demo",
        "<h1>Demo</h1><p>Two people in one session, each over a WebSocket of its own. Stop the service"
        " and start it again: what was said is there, and what you send meanwhile arrives.</p>"
        f'<div class="sides">{_side("customer", "Customer")}{_side("agent", "Agent", note=True)}</div>'
        '<script type="module" src="/static/demo/demo.js"></script>',
        style='<link rel="stylesheet" href="/static/demo/demo.css">',
        wide=True,
    )


def _side(name: str, title: str, *, note: bool = False) -> str:
    box = '<label><input type="checkbox"> note</label>' if note else ""
    return (
        f'<section id="{name}" aria-label="{title}"><h2>{title}</h2>'
        '<ol role="log" tabindex="0" aria-label="Conversation"></ol>'
        f'<form><input type="text" aria-label="Message of the {name}" maxlength="4000"'
        f' autocomplete="off">{box}<button>Send</button></form><output></output></section>'
    )


def _marked(text: str) -> str:
    """Text of a docstring, with `code` as code."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text, quote=False))


def _page(title: str, body: str, *, style: str = "", wide: bool = False) -> str:
    name = "" if title == "chat-service" else " · chat-service"
    kind = ' class="wide"' if wide else ""
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}{name}</title>{style}"
        '<link rel="stylesheet" href="/static/pages.css">'
        '<link rel="icon" type="image/svg+xml" href="/static/icon.svg"></head><body><header><nav>'
        '<strong><img src="/static/icon.svg" alt="">chat-service</strong>'
        '<a href="/docs">API</a><a href="/problems">Problems</a></nav></header>'
        f"<main{kind}>{body}</main></body></html>"
    )
