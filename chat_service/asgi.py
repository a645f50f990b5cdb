"""The application for any ASGI server: `hypercorn chat_service.asgi:app`."""

from chat_service.app import create_app
from chat_service.config import load_config

app = create_app(load_config())
