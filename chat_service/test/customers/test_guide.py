"""The lines that the guide shows to host sites make tokens that are believed."""

import asyncio
import re
import shutil
from pathlib import Path
from typing import Any

from chat_service.test.builders import Workspace
from chat_service.test.customers.site import show, site_of
from chat_service.test.require import skip_or_fail

GUIDE = (Path(__file__).parents[3] / "docs" / "identity.md").read_text()


def block(language: str) -> str:
    """The lines that the guide shows in a language."""
    (text,) = re.findall(rf"```{language}\n(.*?)```", GUIDE, re.DOTALL)
    return str(text)


async def test_a_site_in_python_signs_as_the_guide_shows(workspace: Workspace) -> None:
    site = await site_of(workspace)
    shown: dict[str, Any] = {}
    exec(block("python"), shown)
    sign: Any = shown["identity_token"]
    said = {"name": "Ada", "email": "ada@example.org", "email_verified": True}
    for device in ("phone", "desk"):
        token = sign(site.kid, site.secret, workspace.inbox_key, 7, **said)
        answer = await show(workspace, token, device_id=device)
        assert answer.status_code == 201, answer.text
        assert {name: answer.json()["customer"][name] for name in said} == said
    bob = await workspace.agent()
    seen = (await bob.get(f"/v1/customers/{answer.json()['customer']['id']}")).json()["customer"]
    assert seen["external_id"] == "7"


async def test_a_site_in_javascript_signs_as_the_guide_shows(
    workspace: Workspace, tmp_path: Path
) -> None:
    node = shutil.which("node") or skip_or_fail("node", "no such program")
    site = await site_of(workspace)
    given = ", ".join(f'"{text}"' for text in (site.kid, site.secret, workspace.inbox_key))
    program = tmp_path / "sign.mjs"
    program.write_text(f"{block('js')}\nconsole.log(identityToken({given}, 7));\n")
    process = await asyncio.create_subprocess_exec(node, program, stdout=asyncio.subprocess.PIPE)
    token, _ = await process.communicate()
    answer = await show(workspace, token.decode().strip())
    assert answer.status_code == 201, answer.text
