"""Make workspaces over HTTP, by the token of the installation."""

from datetime import timedelta
from hmac import compare_digest

from quart import Blueprint, Response

from chat_service.agents.founding import services
from chat_service.agents.founding.transport import FoundedWorkspace, InvitationView, NewWorkspace
from chat_service.agents.invitations import DAYS, invitation_url
from chat_service.agents.rendering import agent_view
from chat_service.errors import NotFound, SlugTaken, Unauthenticated
from chat_service.events.transaction import transaction
from chat_service.web import Who, answer, bearer, document, now, parse, shared
from chat_service.workspaces.rendering import workspace_view

blueprint = Blueprint("founding", __name__, url_prefix="/v1/workspaces")


@blueprint.post("")
@document(
    Who.PLATFORM,
    body=NewWorkspace,
    answers={201: FoundedWorkspace},
    errors=[NotFound, SlugTaken],
)
async def create_workspace() -> Response:
    """Make a workspace and invite its owner; without `auth.platform_token` there is no such address.

    The invitation is good for 7 days. Its token is shown here and never again.
    """
    _require_platform()
    body, moment = await parse(NewWorkspace), now()
    async with transaction() as db:
        founded = await services.found(
            db,
            slug=body.slug,
            name=body.name,
            owner_email=body.owner_email,
            owner_name=body.owner_name,
            now=moment,
        )
    invitation = InvitationView(
        token=founded.token,
        url=invitation_url(shared().public_url, founded.token),
        expires_at=moment + timedelta(days=DAYS),
    )
    return answer(
        FoundedWorkspace(
            workspace=workspace_view(founded.workspace),
            owner=agent_view(founded.owner),
            invitation=invitation,
        ),
        201,
    )


def _require_platform() -> None:
    """Refuse whoever has not the installation's token, before anything he sent is looked at."""
    token = shared().auth.platform_token
    if token is None:
        raise NotFound()
    if not compare_digest(bearer().encode(), token.get_secret_value().encode()):
        raise Unauthenticated()
