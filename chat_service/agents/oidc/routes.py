"""Signing in by another site, and the accounts there that stand for an agent.

Where no issuer is configured, none of these addresses is there.
"""

from quart import Blueprint, Response

from chat_service.agents.oidc import identities
from chat_service.agents.oidc import services as oidc
from chat_service.agents.oidc.flow import LIFETIME, Purpose, unseal
from chat_service.agents.oidc.provider import Provider
from chat_service.agents.oidc.transport import (
    FinishOidc,
    Identities,
    IdentityView,
    OidcStarted,
    OidcView,
    RemoveIdentity,
    StartOidc,
)
from chat_service.agents.reauthentication import show_again
from chat_service.agents.routes.shown import device, door, gate, signed_in
from chat_service.agents.transport import SignedIn
from chat_service.audit.acts import Act
from chat_service.auth import Admission
from chat_service.errors import (
    FieldError,
    Forbidden,
    IdentityTaken,
    InvalidGrant,
    LastWayIn,
    NotFound,
    OriginNotAllowed,
    Overloaded,
    ProviderUnavailable,
    SecondFactorRequired,
    TooMany,
    TooManyTries,
    Unauthenticated,
    ValidationFailed,
)
from chat_service.events.transaction import reading, transaction
from chat_service.model import AgentIdentity
from chat_service.schema import TokenKind
from chat_service.transport import SET_COOKIE, Query
from chat_service.web import Who, answer, bearer, caller, document, now, parse, query, shared

blueprint = Blueprint("oidc", __name__, url_prefix="/v1")


def _provider() -> Provider:
    """The provider of this installation; raises NotFound where there is none."""
    found: Provider | None = shared().oidc
    if found is None:
        raise NotFound()
    return found


@blueprint.get("/auth/oidc")
@document(Who.PUBLIC, answers={200: OidcView}, errors=[NotFound])
async def get_oidc() -> Response:
    """Whether agents may sign in by another site, and what to write on the button."""
    query(Query)
    return answer(OidcView(name=_provider().name))


@blueprint.post("/auth/oidc/start")
@document(
    Who.PUBLIC,
    body=StartOidc,
    answers={200: OidcStarted},
    errors=[
        InvalidGrant,
        SecondFactorRequired,
        Unauthenticated,
        Forbidden,
        OriginNotAllowed,
        NotFound,
        TooManyTries,
        Overloaded,
        ProviderUnavailable,
    ],
)
async def start_oidc() -> Response:
    """Begin to sign in, to link an account, or to accept an invitation by another site.

    Only `link` looks at who calls: it needs an agent's login, and what he signs in with once more.
    """
    body, provider, moment = await parse(StartOidc), _provider(), now()
    purpose = Purpose(body.purpose)
    _check_fields(body, purpose)
    if purpose is Purpose.LINK:
        who, _ = await _agent()
        await show_again(
            gate(),
            who,
            body.password,
            body.code,
            act=Act.IDENTITY_LINKED,
            now=moment,
        )
        workspace_id, concerns = who.workspace_id, who.actor.id
    elif purpose is Purpose.INVITATION:
        workspace_id, concerns = await oidc.invitation_of(
            gate(), body.link_token or "", address=device().address, now=moment
        )
    else:
        workspace_id, concerns = await oidc.workspace_of(body.workspace), None
    started = await oidc.start(
        provider, shared().keys, workspace_id, purpose, concerns=concerns, now=moment
    )
    return answer(
        OidcStarted(
            authorization_url=started.authorization_url,
            flow=started.flow,
            expires_in=int(LIFETIME.total_seconds()),
        )
    )


@blueprint.post("/auth/oidc/finish")
@document(
    Who.PUBLIC,
    body=FinishOidc,
    answers={200: SignedIn},
    errors=[
        InvalidGrant,
        Unauthenticated,
        Forbidden,
        OriginNotAllowed,
        NotFound,
        IdentityTaken,
        TooMany,
        TooManyTries,
        Overloaded,
        ProviderUnavailable,
    ],
    gives=[SET_COOKIE],
)
async def finish_oidc() -> Response:
    """Come back from the other site: an agent whose account is linked gets a token.

    Whatever else comes back opens nothing, whichever e-mail it has. After `link`, which needs the
    same agent's login again, `access_token` is null and the login stays as it was; the others end.
    """
    body, provider = await parse(FinishOidc), _provider()
    websocket_url, moment = door(cookie=body.cookie), now()
    flow = unseal(shared().keys, body.flow, state=body.state)
    who, expires_at = None, None
    if flow is not None and flow.purpose is Purpose.LINK:
        who, expires_at = await _agent()
    agent, token = await oidc.finish(
        provider,
        gate(),
        flow,
        body.code,
        iss=body.iss,
        caller=who,
        drop_password=body.drop_password,
        device=device(),
        now=moment,
    )
    left = None if expires_at is None else max(0, int((expires_at - moment).total_seconds()))
    return signed_in(agent, token, websocket_url, cookie=body.cookie, expires_in=left)


@blueprint.get("/agents/me/identities")
@document(Who.AGENT, answers={200: Identities}, errors=[NotFound])
async def list_identities() -> Response:
    """The accounts of other sites that stand for the agent."""
    query(Query)
    _provider()
    who = await caller()
    async with reading() as db:
        found = await identities.of_agent(db, who.workspace_id, who.agent_id)
    return answer(Identities(data=[_view(each) for each in found]))


@blueprint.delete("/agents/me/identities/<identity_id>")
@document(
    Who.AGENT,
    body=RemoveIdentity,
    answers={204: None},
    errors=[NotFound, LastWayIn, InvalidGrant, SecondFactorRequired, TooManyTries, Overloaded],
)
async def delete_identity(identity_id: str) -> Response:
    """Take an account away, but not the last way to sign in; the agent's other logins end.

    Who has a password shows it, and a code of his second factor; others have just signed in.
    """
    body, provider, who = await parse(RemoveIdentity), _provider(), await caller()
    await show_again(
        gate(),
        who,
        body.password,
        body.code,
        act=Act.IDENTITY_UNLINKED,
        now=now(),
    )
    async with transaction() as db:
        await identities.unlink(db, who, identity_id, issuer=provider.issuer, now=now())
    return answer(None, 204)


def _check_fields(body: StartOidc, purpose: Purpose) -> None:
    """What belongs to another purpose would be left unread, so it is refused."""
    if purpose is Purpose.INVITATION and body.link_token is None:
        raise ValidationFailed(errors=[FieldError("/link_token", "missing", "is needed here")])
    given = {
        "link_token": Purpose.INVITATION,
        "workspace": Purpose.SIGN_IN,
        "password": Purpose.LINK,
        "code": Purpose.LINK,
    }
    wrong = [
        FieldError(f"/{name}", "unknown_field", f"is for {only} only")
        for name, only in given.items()
        if getattr(body, name) is not None and purpose is not only
    ]
    if wrong:
        raise ValidationFailed(errors=wrong)


async def _agent() -> Admission:
    """The agent who calls, at an address that serves others as well.

    Raises Unauthenticated, Forbidden, and OriginNotAllowed.
    """
    found = await shared().authenticator.admit(bearer())
    if found[0].kind is not TokenKind.AGENT:
        raise Forbidden("Only an agent has accounts to link")
    return found


def _view(identity: AgentIdentity) -> IdentityView:
    return IdentityView(
        object="identity",
        id=identities.identity_id(identity),
        issuer=identity.issuer,
        subject=identity.subject,
        created_at=identity.created_at,
    )
