"""`chat-service reset-password`: a link for who forgot a password and cannot be written to."""

import sys

import click

from chat_service.agents import links, queries, second_factor
from chat_service.audit import services as audit
from chat_service.audit.acts import Act
from chat_service.audit.services import Target
from chat_service.cli.checked import checked
from chat_service.cli.database import run
from chat_service.config import load_config
from chat_service.events.transaction import transaction
from chat_service.schema import AgentStatus, utc_now
from chat_service.transport import Email
from chat_service.workspaces import queries as workspaces


@click.command()
@click.option("--workspace", help="Its slug; may be left out where there is one workspace.")
@click.option("--email", required=True, callback=checked(Email))
@click.option(
    "--without-second-factor", is_flag=True, help="Take it off, for who has lost device and codes."
)
def command(workspace: str | None, email: str, without_second_factor: bool) -> None:
    """Print a link by which an agent chooses another password, once, within half an hour.

    Without server.public_url it is the token of the link.
    """
    config = load_config()

    async def make() -> str:
        now = utc_now()
        async with transaction() as db:
            tenant = await workspaces.by_slug(db, workspace)
            if tenant is None:
                sys.exit("no such workspace, or more than one: give --workspace")
            found = await queries.by_email(db, tenant.id, email)
            if found is None:
                sys.exit(f"nobody in this workspace has the e-mail {email}")
            agent = await queries.lock(db, tenant.id, found.id)
            if agent.status is AgentStatus.DEACTIVATED:
                sys.exit(f"{email} is deactivated")
            acts = [Act.LINK_CREATED]
            if without_second_factor:
                second_factor.forget(agent)
                acts.append(Act.SECOND_FACTOR_REMOVED)
            for act in acts:
                target = Target("agent", agent.id)
                audit.record(db, tenant.id, audit.NOBODY, act, now=now, target=target)
            link = await links.issue(db, agent, config.auth, now=now)
            return link.text(config.server.public_url)

    print(run(config, make))
