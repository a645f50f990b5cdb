"""A small OpenID provider on a real port of 127.0.0.1, which does wrong whatever a test asks for.

It keeps to the protocol otherwise: codes are good once, PKCE and the client are checked.
"""

import asyncio
import hashlib
import hmac
import json
import secrets
from base64 import b64decode, urlsafe_b64encode
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import parse_qs, parse_qsl, unquote_plus, urlsplit

from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from joserfc.jwk import ECKey, OKPKey, RSAKey

from chat_service.schema import Clock
from chat_service.test.builders import Json

CLIENT: Final = "chat service"
SECRET: Final = "pro%vider:secret & more"
Sign = Callable[[bytes], bytes]
Key = RSAKey | ECKey | OKPKey


def new_keys() -> dict[str, Key]:
    """A key for each algorithm that is accepted, by its name there."""
    return {
        "RS256": RSAKey.generate_key(2048),
        "ES256": ECKey.generate_key("P-256"),
        "EdDSA": OKPKey.generate_key("Ed25519"),
    }


def signer(key: Key) -> Sign:
    """How a key signs."""
    raw: Any = key.raw_value

    def sign(data: bytes) -> bytes:
        if isinstance(key, RSAKey):
            return bytes(raw.sign(data, PKCS1v15(), SHA256()))
        if isinstance(key, OKPKey):
            return bytes(raw.sign(data))
        one, other = decode_dss_signature(raw.sign(data, ECDSA(SHA256())))
        return one.to_bytes(32, "big") + other.to_bytes(32, "big")

    return sign


def by_secret(secret: bytes) -> Sign:
    """How a secret signs (HS256)."""
    return lambda data: hmac.new(secret, data, hashlib.sha256).digest()


def published(key: Key, kid: str, **more: Any) -> Json:
    """A key as it stands in a JWKS."""
    return {**key.as_dict(private=False), "kid": kid, "use": "sig", **more}


def encoded(data: bytes) -> str:
    """Base64 as tokens have it."""
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def compact(header: Json, claims: Json, sign: Sign) -> str:
    """A token, whatever it says of itself and whoever signs it."""
    data = f"{encoded(json.dumps(header).encode())}.{encoded(json.dumps(claims).encode())}"
    return f"{data}.{encoded(sign(data.encode()))}"


def changed(values: Json, changes: Json) -> Json:
    """Values with others in their place; None takes one away."""
    both = {**values, **changes}
    return {name: value for name, value in both.items() if value is not None}


def answering(
    status: str, body: bytes | str = b"", kind: str = "application/json", **headers: str
) -> bytes:
    """An answer of HTTP."""
    data = body.encode() if isinstance(body, str) else body
    given = {"Content-Type": kind, "Content-Length": str(len(data)), "Connection": "close"}
    lines = [f"{name.replace('_', '-')}: {text}" for name, text in (given | headers).items()]
    return "\r\n".join([f"HTTP/1.1 {status}", *lines, "", ""]).encode() + data


@dataclass
class Grant:
    """A code, and what it is good for."""

    subject: str
    asked: dict[str, str]


@dataclass
class Program:
    """The provider. Fields may be changed while it serves; `behave` puts them right again."""

    clock: Clock
    keys: dict[str, Key] = field(default_factory=new_keys)
    issuer: str = ""
    algorithm: str = "RS256"
    metadata: Json = field(default_factory=dict)
    jwks: list[Json] | None = None
    header: Json = field(default_factory=dict)
    claims: Json = field(default_factory=dict)
    sign: Sign | None = None
    answers: dict[str, bytes] = field(default_factory=dict)
    """What is answered at a path instead; nothing at all where it is empty."""
    grants: dict[str, Grant] = field(default_factory=dict)
    asked: Counter[str] = field(default_factory=Counter)
    given: list[str] = field(default_factory=list)
    """Every code and token that it gave out."""

    def behave(self) -> None:
        """Do wrong no more."""
        self.algorithm, self.sign, self.jwks = "RS256", None, None
        for changes in (self.metadata, self.header, self.claims, self.answers):
            changes.clear()
        self.asked.clear()
        self.given.clear()

    def visit(self, url: str, subject: str) -> Json:
        """Let somebody sign in there; what the browser brings back."""
        place = urlsplit(url)
        asked = dict(parse_qsl(place.query, strict_parsing=True))
        assert f"{place.scheme}://{place.netloc}{place.path}" == f"{self.issuer}/authorize"
        assert asked["client_id"] == CLIENT and asked["response_type"] == "code"
        assert asked["code_challenge_method"] == "S256" and "openid" in asked["scope"].split()
        code = self._note(secrets.token_urlsafe(16))
        self.grants[code] = Grant(subject, asked)
        return {"code": code, "state": asked["state"], "iss": self.issuer}

    def _note(self, given: str) -> str:
        self.given.append(given)
        return given

    def discovery(self) -> Json:
        """What it says of itself."""
        said = {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/jwks",
            "response_types_supported": ["code"],
        }
        return changed(said, self.metadata)

    def token(self, form: dict[str, str], authorization: str) -> bytes:
        """What is given for a code."""
        if not self._is_client(form, authorization):
            return answering("401 Unauthorized", json.dumps({"error": "invalid_client"}))
        grant = self.grants.pop(form.get("code", ""), None)
        if grant is None or not _fits(form, grant):
            return answering("400 Bad Request", json.dumps({"error": "invalid_grant"}))
        token = self._note(self.id_token(grant))
        body = {"access_token": self._note(secrets.token_hex(8)), "token_type": "Bearer"}
        return answering("200 OK", json.dumps({**body, "id_token": token}))

    def _is_client(self, form: dict[str, str], authorization: str) -> bool:
        scheme, _, pair = authorization.partition(" ")
        if scheme == "Basic":
            shown = b64decode(pair).decode().split(":")
            return [unquote_plus(each) for each in shown] == [CLIENT, SECRET]
        return (form.get("client_id"), form.get("client_secret")) == (CLIENT, SECRET)

    def id_token(self, grant: Grant) -> str:
        """What it says of somebody."""
        moment = int(self.clock().timestamp())
        claims = {
            "iss": self.issuer,
            "sub": grant.subject,
            "aud": CLIENT,
            "exp": moment + 300,
            "iat": moment,
            "nonce": grant.asked["nonce"],
        }
        header = {"alg": self.algorithm, "kid": self.algorithm, "typ": "JWT"}
        sign = self.sign or signer(self.keys[self.algorithm])
        return compact(changed(header, self.header), changed(claims, self.claims), sign)

    def answer(self, path: str, body: str, authorization: str) -> bytes:
        """What is answered at a path."""
        if path == "/.well-known/openid-configuration":
            return answering("200 OK", json.dumps(self.discovery()))
        if path == "/jwks":
            named = [published(key, kid) for kid, key in self.keys.items()]
            return answering("200 OK", json.dumps({"keys": self.jwks or named}))
        if path == "/token":
            form = {name: values[0] for name, values in parse_qs(body).items()}
            return self.token(form, authorization)
        return answering("404 Not Found")

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request; one that is given up has no answer."""
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            await self._answer(reader, writer)
        writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        request, *lines = head.split("\r\n")
        headers = {name.lower(): text for name, _, text in (each.partition(": ") for each in lines)}
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        path = request.split(" ")[1]
        self.asked[path] += 1
        instead = self.answers.get(path)
        if instead == b"":
            await reader.read()  # until the other side has waited long enough
        elif instead is not None:
            writer.write(instead)
        else:
            writer.write(self.answer(path, body.decode(), headers.get("authorization", "")))


def _fits(form: dict[str, str], grant: Grant) -> bool:
    verifier = form.get("code_verifier", "").encode()
    return (
        form.get("grant_type") == "authorization_code"
        and form.get("redirect_uri") == grant.asked["redirect_uri"]
        and encoded(hashlib.sha256(verifier).digest()) == grant.asked["code_challenge"]
    )


@asynccontextmanager
async def providing(clock: Clock) -> AsyncIterator[Program]:
    """A provider that serves as long as the block lasts."""
    program = Program(clock)
    server = await asyncio.start_server(program.serve, "127.0.0.1", 0)
    program.issuer = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server:
        yield program
