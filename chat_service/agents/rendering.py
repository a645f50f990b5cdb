"""An agent as colleagues and programs see him."""

from chat_service.agents.transport import AgentView
from chat_service.model import Agent


def agent_view(agent: Agent) -> AgentView:
    """A member of staff."""
    return AgentView(
        object="agent",
        id=agent.id,
        workspace_id=agent.workspace_id,
        email=agent.email,
        display_name=agent.name,
        role=agent.role,
    )
