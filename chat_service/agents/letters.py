"""The words of letters to agents, in plain text."""

from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession

from chat_service.agents.links import PURPOSE_OF, Link
from chat_service.mail import Letter
from chat_service.model import Agent
from chat_service.schema import LinkPurpose
from chat_service.transport import shown_name
from chat_service.workspaces import queries as workspaces

_SUBJECTS: Final = {
    LinkPurpose.INVITATION: "Your invitation to answer chats",
    LinkPurpose.RECOVERY: "Choose a new password",
}
_WORDS: Final = {
    LinkPurpose.INVITATION: """\
Hello {name},

you are invited to answer chats in the workspace {workspace}.
Choose a password here; the link works once, until {until}:

{url}

If you do not know what this is about, leave the letter alone: nothing happens then.
""",
    LinkPurpose.RECOVERY: """\
Hello {name},

somebody, perhaps you, asked for a new password for your account in the workspace {workspace}.
Choose it here; the link works once, until {until}:

{url}

If it was not you, leave the letter alone: your password stays as it is.
""",
}


async def letter_with(db: AsyncSession, agent: Agent, link: Link, public_url: str) -> Letter | None:
    """A letter with a link, for an invited agent or an active one; None without `public_url`.

    What people chose as names stands in one line of it.
    """
    url = link.url(public_url)
    if url is None:
        return None
    workspace = await workspaces.by_id(db, agent.workspace_id)
    purpose = PURPOSE_OF[agent.status]
    text = _WORDS[purpose].format(
        name=_one_line(agent.name),
        workspace=_one_line(workspace.name if workspace else ""),
        until=f"{link.expires_at:%Y-%m-%d %H:%M} UTC",
        url=url,
    )
    return Letter(agent.email, _SUBJECTS[purpose], text)


def _one_line(name: str) -> str:
    return " ".join(shown_name(name).split())
