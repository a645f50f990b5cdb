"""The application for any ASGI server, for development: `hypercorn chat_service.asgi:app`.

There it has no drain and no bounds on heads and sockets, so it must not face the open internet:
`chat-service serve` does.
"""

from chat_service.app import create_app
from chat_service.config import load_config

app = create_app(load_config())
