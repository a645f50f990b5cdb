"""Make workspaces over HTTP, by the token of the installation."""

from hmac import compare_digest
from typing import Final

from quart import Blueprint, Response

from chat_service.agents.founding import services
from chat_service.agents.founding.transport import FoundedWorkspace, NewWorkspace
from chat_service.agents.letters import letter_with
from chat_service.agents.rendering import invited_view
from chat_service.errors import NotFound, SlugTaken, Unauthenticated
from chat_service.events.transaction import transaction
from chat_service.limits.policies import Policy
from chat_service.web import Who, answer, bearer, document, now, parse, shared
from chat_service.workspaces.rendering import workspace_view

blueprint = Blueprint("founding", __name__, url_prefix="/v1/workspaces")
PLACE: Final = "platform"
"""Where tries at the installation's token are counted."""


@blueprint.post("")
@document(
    Who.PLATFORM,
    body=NewWorkspace,
    answers={201: FoundedWorkspace},
    errors=[NotFound, SlugTaken],
    limit=Policy.IDENTITY,
)
async def create_workspace() -> Response:
    """Make a workspace and invite its owner; without `auth.platform_token` there is no such address.

    The link is good for a week, goes by e-mail as well where a mail server is set, and is shown here
    and never again.
    """
    await _require_platform()
    body, public_url = await parse(NewWorkspace), shared().site.origins.public_url
    async with transaction() as db:
        founded = await services.found(
            db,
            shared().auth,
            slug=body.slug,
            name=body.name,
            owner_email=body.owner_email,
            owner_name=body.owner_name,
            now=now(),
        )
        letter = await letter_with(db, founded.owner, founded.link, public_url)
    shared().mailer.send(letter)
    invited = invited_view(founded.owner, founded.link, public_url)
    return answer(
        FoundedWorkspace(
            workspace=workspace_view(founded.workspace), owner=invited.agent, link=invited.link
        ),
        201,
    )


async def _require_platform() -> None:
    """Refuse whoever has not the installation's token, before anything he sent is looked at."""
    token = shared().auth.platform_token
    if token is None:
        raise NotFound()
    shared().quotas.count_address(Policy.IDENTITY, PLACE)
    if compare_digest(bearer().encode(), token.get_secret_value().encode()):
        return
    if shared().quotas.is_news(PLACE):
        async with transaction() as db:
            services.note_refusal(db, now=now())
    raise Unauthenticated()
