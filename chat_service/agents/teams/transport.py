"""Wire models of teams."""

from uuid import UUID

from pydantic import Field

from chat_service.transport import Name, Request, Response, Time, example


class NewTeam(Request):
    """A team, which begins with nobody in it."""

    model_config = example(name="Billing")

    name: Name


class PatchTeam(Request):
    """What is left out or null stays."""

    model_config = example(name="Billing and refunds")

    name: Name | None = None


class TeamView(Response):
    """A team."""

    object: str = Field(examples=["team"])
    id: UUID
    name: str
    created_at: Time


class MemberView(Response):
    """An agent in a team."""

    id: UUID
    display_name: str


class TeamWithMembers(TeamView):
    """A team and who is in it."""

    members: list[MemberView]


class TeamResponse(Response):
    """One team."""

    team: TeamWithMembers


class TeamList(Response):
    """All teams, by name."""

    data: list[TeamView]
