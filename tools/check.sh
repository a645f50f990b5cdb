#!/bin/sh
# Every check that needs no running service: a line for each, and the output of those that fail.
cd "$(dirname "$0")/.." || exit 1
bin=.venv/bin
failed=
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

step() { # NAME COMMAND...
    name=$1
    shift
    began=$(date +%s)
    if output=$("$@" 2>&1); then result=ok; else result=FAILED failed="$failed $name"; fi
    printf '%-7s %s (%d s)\n' "$result" "$name" $(($(date +%s) - began))
    [ "$result" = ok ] || printf '%s\n' "$output"
}

schema() { # the newest migration makes the tables that the code expects
    export CHAT_SERVICE_ENVIRONMENT=test CHAT_SERVICE_DATABASE_URL="sqlite:///$folder/check.db"
    $bin/chat-service migrate && $bin/chat-service migrate --check
}

start=$(date +%s)
step lock .tools/bin/poetry check --lock
step black $bin/black --check --quiet --diff .
step isort $bin/isort --check --quiet --diff .
step flake8 $bin/flake8
step mypy $bin/mypy
step imports $bin/lint-imports --no-logo
step licences $bin/python tools/third_party.py --check
step migrations schema
[ -z "$failed" ] || { echo "check: failed:$failed"; exit 1; }
echo "check: all passed in $(($(date +%s) - start)) s"
