"""Runs a command that must not outlive its owner: interrupts it when standard input ends.

Called by path as `python guard.py ACCOUNT COMMAND…`; the command runs as the user ACCOUNT, or as
the caller where it is empty. Its process id is the one line of output, its exit code the guard's.
Standard input ends when the owner closes it, and also when the owner is killed.
"""

import os
import pwd
import signal
import subprocess
import sys
from threading import Thread
from typing import Any


def as_account(account: str) -> dict[str, Any]:
    """Arguments of `subprocess` that run a command as that user, in a folder all may enter."""
    if not account:
        return {"cwd": "/"}
    user = pwd.getpwnam(account)
    return {"cwd": "/", "user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


def main() -> int:
    """Guard the command; returns its exit code."""
    _, account, *command = sys.argv
    # Who is started in the background ignores it, and so would the command.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    child = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=sys.stderr, **as_account(account)
    )
    print(child.pid, flush=True)

    def end_with_owner() -> None:
        os.read(sys.stdin.fileno(), 1)
        child.send_signal(signal.SIGINT)

    Thread(target=end_with_owner, daemon=True).start()
    return child.wait()


if __name__ == "__main__":
    sys.exit(main())
