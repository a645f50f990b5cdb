#!/bin/sh
# Serves the checkout on its embedded database with a demo workspace. Ctrl-C is the way to end it,
# so it is no failure.
cd "$(dirname "$0")/.." || exit 1
export CHAT_SERVICE_ENVIRONMENT=development
trap : INT

.venv/bin/chat-service migrate && .venv/bin/chat-service seed-demo && .venv/bin/chat-service serve
code=$?
[ $code -eq 130 ] && exit 0
exit $code
