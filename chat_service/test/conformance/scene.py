"""One conversation and the people in it, for tests that only look at what happens underneath."""

from dataclasses import dataclass

from chat_service.schema import Role
from chat_service.test.builders import Person, Workspace
from chat_service.transport import AN_ID


@dataclass
class Scene:
    """A customer with a waiting session, and staff."""

    customer: Person
    bob: Person
    boss: Person
    key: Person
    session_id: str
    message_id: str
    role_id: str = AN_ID
    team_id: str = AN_ID
    used_team_id: str = AN_ID

    @property
    def path(self) -> str:
        """The address of the session."""
        return f"/v1/sessions/{self.session_id}"

    @property
    def words(self) -> str:
        """The address of its first message."""
        return f"{self.path}/messages/{self.message_id}"


async def build_scene(workspace: Workspace) -> Scene:
    """A scene in a workspace."""
    customer = await workspace.customer()
    begun = await customer.start()
    return Scene(
        customer=customer,
        bob=await workspace.agent(),
        boss=await workspace.agent(Role.ADMIN),
        key=await workspace.key(),
        session_id=begun["session"]["id"],
        message_id=begun["message"]["id"],
    )
