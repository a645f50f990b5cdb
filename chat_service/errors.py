"""The errors a caller may see, each with its status and its stable code.

    ServiceError
    ├── BadRequest 400            malformed_body, unknown_parameter, invalid_parameter, …
    │   ├── MalformedBody         malformed_body
    │   ├── UnknownParameter      unknown_parameter
    │   ├── InvalidParameter      invalid_parameter
    │   ├── InvalidFilter         invalid_filter
    │   ├── UnsupportedSort       unsupported_sort
    │   ├── CursorInvalid         cursor_invalid
    │   ├── CursorFilterMismatch  cursor_filter_mismatch
    │   ├── ClientMessageIdMissing, ClientSessionIdMissing
    │   ├── InvalidGrant          invalid_grant
    │   └── SecondFactorRequired  second_factor_required
    ├── Unauthenticated 401
    ├── Forbidden 403             forbidden
    │   ├── OriginNotAllowed      origin_not_allowed
    │   ├── EditWindowPassed      edit_window_passed
    │   └── CustomerBlocked       customer_blocked
    ├── NotFound 404              also what the caller may not see
    ├── MethodNotAllowed 405, NotAcceptable 406, BodyTimeout 408
    ├── Conflict 409
    │   ├── InvalidMove, ReopenWindowPassed, SessionClosed, SessionFull, TooManyOpenSessions
    │   ├── AlreadyAssigned, NotAssigned
    │   ├── IdentityTaken, LastWayIn, EmailVerified, SlugTaken, TooMany
    │   ├── EmailTaken, LastOwner, AgentDeactivated, SecondFactorOn, SecondFactorOff
    │   ├── RoleInUse, TeamInUse, NameTaken
    │   └── CursorAhead, CursorMismatch
    ├── CursorExpired 410, PreconditionFailed 412, BodyTooLarge 413, UnsupportedMediaType 415
    ├── ValidationFailed 422
    │   ├── ClientMessageIdReused, ClientSessionIdReused, ReadSeqAhead, InvalidIdentity
    ├── Misdirected 421, UpgradeRequired 426, TooManyTries 429, RateLimited 429, InternalError 500
    └── Unavailable 503           Overloaded, DatabaseUnavailable, ProviderUnavailable; StorageFull 507

Owns what went wrong, in words; `web` renders it as a problem document (RFC 9457). The docstring of
each class is the text of its page under /problems/.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar


@dataclass(frozen=True, slots=True)
class FieldError:
    """One wrong field: `pointer` (RFC 6901) into the body, or the parameter's name; a stable code."""

    pointer: str
    code: str
    detail: str


class ServiceError(Exception):
    """Something the caller can see; `members` are extra members of the problem document."""

    status: ClassVar[int] = 500
    code: ClassVar[str] = ""
    title: ClassVar[str] = ""
    retryable: ClassVar[bool] = False
    example: ClassVar[Mapping[str, Any]] = {}
    """The extra members that this error may have, with a value each, for the API's document."""

    def __init__(
        self,
        detail: str = "",
        *,
        errors: Sequence[FieldError] = (),
        headers: Mapping[str, str] | None = None,
        **members: Any,
    ) -> None:
        super().__init__(detail or self.title)
        self.detail = detail or self.title
        self.errors = errors
        self.headers = dict(headers or {})
        self.members = members


def every_error() -> Iterator[type[ServiceError]]:
    """All errors that have a code, in the order of their definition."""
    waiting = list(ServiceError.__subclasses__())
    while waiting:
        found = waiting.pop(0)
        waiting.extend(found.__subclasses__())
        if "code" in vars(found):
            yield found


class BadRequest(ServiceError):
    """The request could not be understood. Correct it before you send it again."""

    status, code, title = 400, "bad_request", "The request could not be understood"


class MalformedBody(BadRequest):
    """The body is not valid JSON in UTF-8."""

    code, title = "malformed_body", "The body is not valid JSON"


class UnknownParameter(BadRequest):
    """The query has a parameter that this address does not know. Parameters are never ignored."""

    code, title = "unknown_parameter", "Unknown query parameter"


class InvalidParameter(BadRequest):
    """A query parameter or header has a value it cannot have; `errors` names it."""

    code, title = "invalid_parameter", "Invalid parameter"


class InvalidFilter(BadRequest):
    """A filter of a list has a value it cannot have; `errors` names it."""

    code, title = "invalid_filter", "Invalid filter"


class UnsupportedSort(BadRequest):
    """The list cannot be sorted that way; the detail names the sorts it knows."""

    code, title = "unsupported_sort", "Unsupported sort"


class CursorInvalid(BadRequest):
    """The cursor was not made by this service, or not for this caller."""

    code, title = "cursor_invalid", "Invalid cursor"


class CursorFilterMismatch(BadRequest):
    """The cursor belongs to a list with other filters. Begin the list again without a cursor."""

    code, title = "cursor_filter_mismatch", "The cursor belongs to other filters"


class ClientMessageIdMissing(BadRequest):
    """A message needs a `client_message_id` made by the client, so that sending it again is safe.

    The header `Idempotency-Key` is another name of the field.
    """

    code, title = "client_message_id_missing", "client_message_id is missing"


class ClientSessionIdMissing(BadRequest):
    """A session needs a `client_session_id` made by the client, so that starting it again is safe.

    The header `Idempotency-Key` is another name of the field.
    """

    code, title = "client_session_id_missing", "client_session_id is missing"


class InvalidGrant(BadRequest):
    """E-mail, password, code, link or refresh token, or what another site says of an agent, are wrong or
    no longer valid. Sign in again."""

    code, title = "invalid_grant", "The credentials are not valid"


class SecondFactorRequired(BadRequest):
    """The password is right, and the account asks for a second factor as well.

    Send the same again with a `code`: that of the authenticator, or one of the recovery codes.
    """

    code, title = "second_factor_required", "A code of the second factor is needed"


class Unauthenticated(ServiceError):
    """There is no valid token in the `Authorization` header, nor an agent's in the cookie of a login:
    it is missing, wrong or expired."""

    status, code, title = 401, "unauthenticated", "A valid token is needed"


class Forbidden(ServiceError):
    """The caller is known and may not do this."""

    status, code, title = 403, "forbidden", "The caller may not do this"


class OriginNotAllowed(Forbidden):
    """The page's origin is not in the list of the inbox, or of the customer's inbox, or, where the cookie
    of a login speaks, not the service's own. Origins match exactly."""

    code, title = "origin_not_allowed", "This origin is not allowed"


class EditWindowPassed(Forbidden):
    """A message can be changed or deleted by its author only for a while after it was sent."""

    code, title = "edit_window_passed", "The time to edit has passed"


class CustomerBlocked(Forbidden):
    """Staff have blocked this customer, until `until`, or for good where that is null."""

    code, title = "customer_blocked", "The customer is blocked"
    example = {"until": "2026-11-29T00:00:00.000Z"}


class NotFound(ServiceError):
    """There is no such thing, or the caller may not know of it: the two are not told apart."""

    status, code, title = 404, "not_found", "Not found"


class MethodNotAllowed(ServiceError):
    """The address exists, but not for this method; the header `Allow` lists the others."""

    status, code, title = 405, "method_not_allowed", "Method not allowed"


class UpgradeRequired(ServiceError):
    """This address speaks WebSocket with the subprotocol `chat.v1` and nothing else."""

    status, code, title = 426, "upgrade_required", "A WebSocket of chat.v1 is needed"
    example: ClassVar = {"arrived": {"Upgrade": "", "Connection": "close", "Via": "1.1 proxy"}}

    def __init__(self, detail: str = "", **rest: Any) -> None:
        super().__init__(detail, headers={"Upgrade": "websocket"}, **rest)


class NotAcceptable(ServiceError):
    """The header `Accept` does not take what this address gives, which is JSON almost everywhere."""

    status, code, title = 406, "not_acceptable", "The answer would not be accepted"


class BodyTimeout(ServiceError):
    """The body of the request did not arrive in time; nothing was changed. Send it again."""

    status, code, title, retryable = 408, "body_timeout", "The body did not arrive in time", True


class Conflict(ServiceError):
    """The request does not fit the present state."""

    status, code, title = 409, "conflict", "The request does not fit the present state"


class InvalidMove(Conflict):
    """The session cannot make this move from its present status, `session_status`."""

    code, title = "invalid_move", "The session cannot make this move"
    example = {"session_status": "closed"}


class ReopenWindowPassed(Conflict):
    """The session was closed too long ago to be opened again. Start a new one."""

    code, title = "reopen_window_passed", "The session was closed too long ago"


class SessionClosed(Conflict):
    """The session is closed and takes no more messages. With `reopen: false`, start a new one.

    The same text and `client_message_id` may be used in the new session.
    """

    code, title = "session_closed", "The session is closed"
    example = {"reopen": False}


class SessionFull(Conflict):
    """The session holds as many messages as it may. Start a new one with the same text."""

    code, title = "session_full", "The session is full"


class TooManyOpenSessions(Conflict):
    """The customer has as many unclosed sessions as allowed. Use one of them or close it."""

    code, title = "too_many_open_sessions", "Too many open sessions"


class AlreadyAssigned(Conflict):
    """Somebody else holds the session; `assignee` says who."""

    code, title = "already_assigned", "Somebody else holds the session"
    example = {"assignee": {"type": "agent", "id": "0199a1c2-7c1e-7d0b-9a55-0d6c2f1b7e10"}}


class NotAssigned(Conflict):
    """Nobody holds the session and this inbox wants it claimed before it is answered."""

    code, title = "not_assigned", "The session must be claimed first"


class RoleInUse(Conflict):
    """Agents have this role, deactivated ones counted. Give them another one first."""

    code, title = "role_in_use", "Agents have this role"


class TeamInUse(Conflict):
    """Sessions were given to this team, closed ones counted. Take its members out, or rename it."""

    code, title = "team_in_use", "Sessions belong to this team"


class NameTaken(Conflict):
    """Another one of its kind in the workspace has this name."""

    code, title = "name_taken", "The name is taken"


class IdentityTaken(Conflict):
    """This account of the other site is linked to somebody else in the workspace."""

    code, title = "identity_taken", "The account is linked to somebody else"


class LastWayIn(Conflict):
    """Without this account the agent could not sign in any more. Choose a password or link another."""

    code, title = "last_way_in", "This is the last way to sign in"


class EmailVerified(Conflict):
    """The host site vouches for the customer's e-mail; only the site can change it."""

    code, title = "email_verified", "The e-mail is verified"


class SlugTaken(Conflict):
    """Another workspace of this installation has that slug. Choose another one."""

    code, title = "slug_taken", "The slug is taken"


class EmailTaken(Conflict):
    """Somebody in the workspace has this e-mail already, perhaps deactivated or only invited."""

    code, title = "email_taken", "The e-mail is taken in this workspace"


class LastOwner(Conflict):
    """A workspace has an active owner at any time. Make somebody else an owner first."""

    code, title = "last_owner", "The workspace would have no owner"


class AgentDeactivated(Conflict):
    """The agent was deactivated. Activate the account first."""

    code, title = "agent_deactivated", "The agent is deactivated"


class TooMany(Conflict):
    """There are as many of these as there may be: 1,000 of a kind in a workspace, two live keys of an inbox."""

    code, title = "too_many", "There are too many of these"


class SecondFactorOn(Conflict):
    """The account has a second factor already. Remove it before you set another."""

    code, title = "second_factor_on", "There is a second factor already"


class SecondFactorOff(Conflict):
    """The account has no second factor to confirm or to remove. Begin with a new one."""

    code, title = "second_factor_off", "There is no second factor"


class CursorAhead(Conflict):
    """The log ends before the cursor: it was restored to an older state. Read everything anew."""

    code, title = "cursor_ahead", "The log ends before the cursor"


class CursorMismatch(Conflict):
    """Another event stands at the cursor: the log was restored and went on. Read everything anew."""

    code, title = "cursor_mismatch", "The log is not the one the cursor was made for"


class CursorExpired(ServiceError):
    """The events after the cursor are no longer kept. Read the present state anew."""

    status, code, title = 410, "cursor_expired", "The cursor is too old"


class PreconditionFailed(ServiceError):
    """The resource has changed since the version in `If-Match`; `current` is its present state."""

    status, code, title = 412, "precondition_failed", "The resource has changed"
    example = {"current": {"object": "session", "version": 18}}


class BodyTooLarge(ServiceError):
    """The body of the request is larger than allowed."""

    status, code, title = 413, "body_too_large", "The body is too large"


class UnsupportedMediaType(ServiceError):
    """The body must be JSON and its `Content-Type` must say `application/json`."""

    status, code, title = (415, "unsupported_media_type", "The body must be application/json")


class ValidationFailed(ServiceError):
    """The body is JSON but has unknown fields or wrong values; `errors` names each."""

    status, code, title = 422, "validation_failed", "The body has wrong values"

    def inside(self, field: str) -> "ValidationFailed":
        """The same error, where the body it speaks of is a field of another."""
        errors = [replace(item, pointer=f"/{field}{item.pointer}") for item in self.errors]
        return type(self)(self.detail, errors=errors)


class ClientMessageIdReused(ValidationFailed):
    """This `client_message_id` was already used in the session for a message with other content."""

    code, title = ("client_message_id_reused", "client_message_id was used for another message")


class ClientSessionIdReused(ValidationFailed):
    """This `client_session_id` was already used by the customer with another first message."""

    code, title = ("client_session_id_reused", "client_session_id was used for another start")


class InvalidIdentity(ValidationFailed):
    """The identity token does not prove who the visitor is, or not to this device.

    It must be signed by a live key of this inbox, named by `kid`, for this inbox (`aud`), live for at
    most 5 minutes, and be shown by the one device that showed it first. Which of it failed is not told.
    """

    code, title = "invalid_identity", "The identity token is not valid"


class ReadSeqAhead(ValidationFailed):
    """A read mark names an event that the session does not have yet."""

    code, title = "read_seq_ahead", "The session is not that far"


class TooManyTries(ServiceError):
    """Too many tries at a password, a code or a link. `Retry-After` says when the next one counts.

    Of the kind `policy` at most `limit` may fail in `window_seconds`; the next counts after `retry_after`.
    """

    status, code, title, retryable = 429, "too_many_tries", "Too many tries", True
    example: ClassVar = {"policy": "account", "limit": 10, "window_seconds": 900, "retry_after": 60}


class RateLimited(ServiceError):
    """Too much of one kind in too short a time; nothing was done.

    Send it again after `retry_after` seconds, as `Retry-After` says. In the window `policy`, `limit`
    may come at once, and all of it comes back in `window_seconds`.
    """

    status, code, title, retryable = 429, "rate_limited", "Too much in too short a time", True
    example: ClassVar = {"policy": "send", "limit": 20, "window_seconds": 4, "retry_after": 1}


class Misdirected(ServiceError):
    """The header `Host` names another service than this one; see `server.hosts`."""

    status, code, title = 421, "misdirected", "This service does not go by that name"


class InternalError(ServiceError):
    """A fault of the service; it is logged under the `request_id`. A repeat with the same key is safe."""

    status, code, title, retryable = 500, "internal_error", "Internal error", True


class Unavailable(ServiceError):
    """The service cannot do this now. Send the same request again after `Retry-After` seconds."""

    status, code, title, retryable = 503, "unavailable", "Not available now", True

    def __init__(self, detail: str = "", **rest: Any) -> None:
        super().__init__(detail, headers={"Retry-After": "1"}, **rest)


class Overloaded(Unavailable):
    """More waits than the service takes: messages, passwords, or streams and long-polls of one caller.

    Where much waits, new customers and sessions are refused first, then messages of customers. Send
    the same request again.
    """

    code, title = "overloaded", "Too many messages wait"


class DatabaseUnavailable(Unavailable):
    """The database cannot be reached or did not answer in time. Send the same request again.

    The change may or may not have been made; a repeat with the same key finds out.
    """

    code, title = "database_unavailable", "The database did not answer"


class ProviderUnavailable(Unavailable):
    """The site that signs agents in did not answer as it should. Send the same request again.

    If it lasts, the log of the service tells what is wrong.
    """

    code, title = "provider_unavailable", "The sign-in provider did not answer"


class StorageFull(Unavailable):
    """The database has no room left. Nothing of the request was stored."""

    status, code, title = 507, "storage_full", "No room left to store this"
