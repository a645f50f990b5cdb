"""Agents and their logins as a caller sees them."""

from chat_service.agents.links import Link
from chat_service.agents.transport import (
    AgentView,
    InvitedResponse,
    LinkView,
    LoginView,
    ManagedAgent,
    OwnAgent,
)
from chat_service.auth import Caller
from chat_service.model import Agent, Token
from chat_service.schema import Permission
from chat_service.transport import Json, shown_name


def agent_view(agent: Agent) -> AgentView:
    """An agent as every colleague sees him."""
    return AgentView(**_common(agent))


def managed_view(agent: Agent) -> ManagedAgent:
    """An agent as those see him who manage agents."""
    return ManagedAgent(**_common(agent), second_factor=agent.totp_confirmed)


def view_for(caller: Caller, agent: Agent) -> ManagedAgent | AgentView:
    """An agent as this caller sees him."""
    manages = Permission.AGENTS_MANAGE in caller.permissions
    return managed_view(agent) if manages or agent.id == caller.actor.id else agent_view(agent)


def own_view(caller: Caller, agent: Agent) -> OwnAgent:
    """The caller himself."""
    return OwnAgent(
        **_common(agent),
        second_factor=agent.totp_confirmed,
        recovery_codes_left=len(agent.recovery_codes),
        permissions=sorted(caller.permissions),
    )


def invited_view(agent: Agent, link: Link, public_url: str) -> InvitedResponse:
    """An agent with a link, which is shown once."""
    shown = LinkView(token=link.token, url=link.url(public_url), expires_at=link.expires_at)
    return InvitedResponse(agent=managed_view(agent), link=shown)


def login_view(caller: Caller, login: Token) -> LoginView:
    """A login; the words of its browser without what turns the text around them."""
    return LoginView(
        object="login",
        id=login.id,
        created_at=login.created_at,
        expires_at=login.expires_at or login.created_at,
        last_used_at=login.last_used_at,
        address=login.address,
        user_agent=shown_name(login.user_agent) if login.user_agent else None,
        current=login.id == caller.token_id,
    )


def _common(agent: Agent) -> Json:
    return {
        "object": "agent",
        "id": agent.id,
        "workspace_id": agent.workspace_id,
        "email": agent.email,
        "display_name": agent.name,
        "role": agent.role,
        "role_id": agent.role_id,
        "status": agent.status,
    }
