"""The cases of the Autobahn test suite against a socket that echoes: `autobahn URL`.

A process of its own, because the runner changes the interpreter it works in. Prints, as JSON, each
case's verdicts on what was exchanged and on how it was closed, and the code of the other side.
"""

import asyncio
import json
import sys
from typing import Final

from kosoku import FailureError, run_fuzzingclient

GROUPS: Final = ["1.*", "2.*", "3.*", "4.*", "5.*", "6.*", "7.*"]
"""Framing, pings, reserved bits, opcodes, fragments, UTF-8 and closing."""


async def main(url: str) -> None:
    """Run the cases, some at a time: a few wait on purpose."""
    try:
        results = await run_fuzzingclient(url, GROUPS, concurrency=8)
    except FailureError as error:
        results = error.results
    verdicts = {
        one.case_id: [one.behavior.value, one.behavior_close.value, one.remote_close_code]
        for one in results
    }
    print(json.dumps(verdicts))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
