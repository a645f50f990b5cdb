"""The other site that signs agents in: asked over HTTP, and believed no more than it must be.

Owns what is fetched from it, how much, for how long it is remembered, and what of it goes into the log:
never a code, a token or a secret. Leaves the checks of a token to `id_tokens`.
"""

import asyncio
import ssl
from base64 import b64encode
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, TypeVar
from urllib.parse import quote_plus, urlencode

import httpx2
import structlog
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from chat_service.agents.oidc.flow import Flow
from chat_service.agents.oidc.id_tokens import (
    Expected,
    Keys,
    Refused,
    UnknownKey,
    keys_of,
    subject_of,
)
from chat_service.config import LOCAL_URL, SECURE_URL, Oidc
from chat_service.errors import InvalidGrant, Overloaded, ProviderUnavailable
from chat_service.schema import Clock

CALLBACK: Final = "/console/oidc"
DISCOVERY: Final = "/.well-known/openid-configuration"
ANSWER_BYTES: Final = 65_536
REMEMBERED: Final = timedelta(hours=1)
UNKNOWN_KEY_EVERY: Final = timedelta(minutes=1)
AT_ONCE: Final = 64
"""How many codes are taken to the provider at the same time."""
REFUSED: Final = "What the provider says opens nothing here"
"""The one thing that is told of a failure, whatever it was."""
WRONG_CODE: Final = "invalid_grant"
HEADERS: Final = {"Accept": "application/json", "Accept-Encoding": "identity"}

log = structlog.get_logger(__name__)
Document = TypeVar("Document", bound=BaseModel)


class Metadata(BaseModel):
    """What a provider says of itself (OpenID Connect Discovery, 3)."""

    model_config = ConfigDict(strict=True, frozen=True)

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    token_endpoint_auth_methods_supported: list[str] = Field(default=["client_secret_basic"])
    authorization_response_iss_parameter_supported: bool = False


class TokenAnswer(BaseModel):
    """What is given for a code; the access token is not ours to use."""

    id_token: str


class TokenError(BaseModel):
    """Why nothing is given for a code (RFC 6749, 5.2)."""

    error: str = Field(max_length=64, pattern="^[a-z_]+$")


@dataclass(frozen=True, slots=True)
class Known:
    """What was fetched, and when."""

    metadata: Metadata
    keys: Keys
    read_at: datetime


def open_provider(config: Oidc, public_url: str, clock: Clock) -> "Provider | None":
    """The provider of the configuration; None where there is none. Nothing is asked of it yet."""
    return Provider(config, public_url, clock) if config.issuer else None


class Provider:
    """One provider, as one process knows it."""

    def __init__(self, config: Oidc, public_url: str, clock: Clock) -> None:
        self._config = config
        self._redirect_uri = f"{public_url}{CALLBACK}"
        self._clock = clock
        self._tls = ssl.create_default_context()
        self._lock = asyncio.Lock()
        self._fetches = 0
        self._known: Known | None = None
        self._exchanging = 0

    @property
    def name(self) -> str:
        """The label of its button."""
        return self._config.name

    @property
    def issuer(self) -> str:
        """Its own name."""
        return self._config.issuer

    async def authorization_url(self, flow: Flow, state: str) -> str:
        """Where to send the browser; raises ProviderUnavailable."""
        metadata = (await self._knowledge()).metadata
        asked = {
            "response_type": "code",
            "client_id": self._config.client_id,
            "redirect_uri": self._redirect_uri,
            "scope": self._config.scopes,
            "state": state,
            "nonce": flow.nonce,
            "code_challenge": flow.challenge,
            "code_challenge_method": "S256",
        }
        endpoint = metadata.authorization_endpoint
        return f"{endpoint}{'&' if '?' in endpoint else '?'}{urlencode(asked)}"

    async def subject(self, flow: Flow, code: str, *, iss: str | None) -> str:
        """Who came back with a code, by the provider's own id.

        `iss` is the parameter of RFC 9207. Raises InvalidGrant, which always says the same,
        ProviderUnavailable and Overloaded.
        """
        known = await self._knowledge()
        announced = known.metadata.authorization_response_iss_parameter_supported
        if iss != self.issuer and (iss is not None or announced):
            raise refused("iss parameter")
        token = await self._exchange(known.metadata, flow, code)
        expected = Expected(self.issuer, self._config.client_id, flow.nonce)
        try:
            try:
                return subject_of(token, known.keys, expected, now=self._clock())
            except UnknownKey:
                known = await self._knowledge(lifetime=UNKNOWN_KEY_EVERY)
                return subject_of(token, known.keys, expected, now=self._clock())
        except UnknownKey:
            raise refused("unknown key") from None
        except Refused as error:
            raise refused(str(error)) from None

    async def _exchange(self, metadata: Metadata, flow: Flow, code: str) -> str:
        """The ID token for a code (RFC 6749, 4.1.3)."""
        if self._exchanging >= AT_ONCE:
            raise Overloaded()
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self._redirect_uri,
            "code_verifier": flow.verifier,
        }
        headers = self._credentials(metadata, form)
        self._exchanging += 1
        try:
            status, body = await self._ask(
                "POST", metadata.token_endpoint, data=form, headers=headers
            )
        finally:
            self._exchanging -= 1
        if status == 200:
            return self._parsed(TokenAnswer, body, "token").id_token
        reason = self._parsed(TokenError, body, "token").error if status == 400 else str(status)
        if reason == WRONG_CODE:
            raise refused("code")
        raise self._failed("token", reason)

    def _credentials(self, metadata: Metadata, form: dict[str, str]) -> dict[str, str]:
        """Show who we are as the provider wants it: by header, else in the form."""
        client_id, secret = self._config.client_id, self._config.client_secret
        password = secret.get_secret_value() if secret else ""
        if "client_secret_basic" not in metadata.token_endpoint_auth_methods_supported:
            form |= {"client_id": client_id, "client_secret": password}
            return {}
        # Both are form-encoded before they are put together (RFC 6749, 2.3.1).
        pair = f"{quote_plus(client_id)}:{quote_plus(password)}".encode()
        return {"Authorization": f"Basic {b64encode(pair).decode()}"}

    async def _knowledge(self, lifetime: timedelta = REMEMBERED) -> Known:
        """What the provider says of itself, not older than that; raises ProviderUnavailable.

        Those who come while it is fetched share the fetch, and its failure.
        """
        if self._known is not None and self._is_fresh(self._known, lifetime):
            return self._known
        fetches = self._fetches
        async with self._lock:
            if self._fetches == fetches:
                try:
                    self._known = await self._fetch()
                finally:
                    self._fetches += 1
        if self._known is None or not self._is_fresh(self._known, lifetime):
            raise ProviderUnavailable()
        return self._known

    def _is_fresh(self, known: Known, lifetime: timedelta) -> bool:
        """A clock that was set back must not keep anything for ever."""
        return timedelta() <= self._clock() - known.read_at < lifetime

    async def _fetch(self) -> Known:
        began = self._clock()
        body = await self._get(f"{self.issuer.removesuffix('/')}{DISCOVERY}", "discovery")
        metadata = self._parsed(Metadata, body, "discovery")
        if metadata.issuer != self.issuer:
            raise self._failed("discovery", "another issuer")
        for url in (
            metadata.authorization_endpoint,
            metadata.token_endpoint,
            metadata.jwks_uri,
        ):
            self._check(url)
        try:
            keys = keys_of(await self._get(metadata.jwks_uri, "keys"))
        except ValueError:
            raise self._failed("keys", "no JWKS") from None
        return Known(metadata, keys, began)

    def _check(self, url: str) -> None:
        """An address is a page of another site over TLS, or on this machine if the issuer is."""
        place, _, rest = url.partition("?")
        local = LOCAL_URL.fullmatch(self.issuer) and LOCAL_URL.fullmatch(place)
        plain = rest.isascii() and rest.isprintable() and not set(rest) & set(' #"<>')
        if not plain or not (local or SECURE_URL.fullmatch(place)):
            raise self._failed("discovery", "an address without TLS")

    async def _get(self, url: str, what: str) -> bytes:
        status, body = await self._ask("GET", url, what=what)
        if status != 200:
            raise self._failed(what, str(status))
        return body

    async def _ask(
        self, method: str, url: str, *, what: str = "token", **rest: Any
    ) -> tuple[int, bytes]:
        """One answer: as it is, without redirects, bounded in size and time."""
        seconds, headers = self._config.answer_seconds, HEADERS | rest.pop("headers", {})
        try:
            async with (
                asyncio.timeout(seconds),
                httpx2.AsyncClient(verify=self._tls, timeout=seconds) as http,
                http.stream(method, url, headers=headers, **rest) as response,
            ):
                return response.status_code, await self._body(response, what)
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError) as error:
            raise self._failed(what, type(error).__name__) from None

    async def _body(self, response: httpx2.Response, what: str) -> bytes:
        """The bytes as they came: none was asked to be packed, and none is unpacked."""
        body = b""
        async for part in response.aiter_raw():
            body += part
            if len(body) > ANSWER_BYTES:
                raise self._failed(what, "too large an answer")
        return body

    def _parsed(self, model: type[Document], body: bytes, what: str) -> Document:
        try:
            return model.model_validate_json(body)
        except ValidationError:
            raise self._failed(what, "not the answer of the protocol") from None

    def _failed(self, what: str, reason: str) -> ProviderUnavailable:
        log.warning("oidc_provider_failed", what=what, reason=reason)
        return ProviderUnavailable()


def refused(reason: str) -> InvalidGrant:
    """The failure that says nothing; the reason is for the log."""
    log.info("oidc_refused", reason=reason)
    return InvalidGrant(REFUSED)
