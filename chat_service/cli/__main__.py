"""`python -m chat_service.cli` is `chat-service`."""

from chat_service.cli import main

main()
