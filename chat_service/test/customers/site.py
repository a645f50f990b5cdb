"""A host site that vouches for its visitors, and the visitors who show what it gave them."""

import hashlib
import hmac
import json
from base64 import urlsafe_b64encode
from dataclasses import dataclass, replace
from typing import Any, Final

import httpx2
from joserfc.jwk import OKPKey
from joserfc.jws import JWSRegistry

from chat_service.schema import utc_now
from chat_service.test.builders import Json, Person, Workspace, unique

DEVICE: Final = "phone-1"


@dataclass(frozen=True)
class Site:
    """The key of a site, as the site has it."""

    workspace: Workspace
    kid: str
    secret: str = ""
    pair: OKPKey | None = None

    def claims(self, sub: Any = "user-7", **claims: Any) -> Json:
        """What a good token says; `claims` change it, and None takes one away."""
        began = int(utc_now().timestamp())
        given = {"sub": sub, "aud": self.workspace.inbox_key, "iat": began, "exp": began + 300}
        given["jti"] = unique()
        return {name: value for name, value in (given | claims).items() if value is not None}

    def token(self, sub: Any = "user-7", *, header: Json | None = None, **claims: Any) -> str:
        """An identity token; `header` changes what is told of how it was signed."""
        algorithm = "EdDSA" if self.pair is not None else "HS256"
        said = {"alg": algorithm, "typ": "JWT", "kid": self.kid} | (header or {})
        return self.signed(said, self.claims(sub, **claims))

    def signed(self, header: Json, claims: Json) -> str:
        """Any header and any claims, with a signature by this site's key."""
        said = f"{encoded(json.dumps(header).encode())}.{encoded(json.dumps(claims).encode())}"
        if self.pair is None:
            mac = hmac.new(self.secret.encode(), said.encode(), hashlib.sha256).digest()
            return f"{said}.{encoded(mac)}"
        signer = JWSRegistry(algorithms=["Ed25519"]).get_alg("Ed25519")
        return f"{said}.{encoded(signer.sign(said.encode(), self.pair))}"


def encoded(data: bytes) -> str:
    """base64url without padding."""
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def keys_path(workspace: Workspace) -> str:
    """The address of the keys of a workspace's inbox."""
    return f"/v1/inboxes/{workspace.inbox.id}/keys"


async def site_of(workspace: Workspace) -> Site:
    """The site of a workspace's inbox, with a shared secret."""
    manager = await workspace.key()
    made = await manager.post(keys_path(workspace), {"algorithm": "HS256"})
    assert made.status_code == 201, made.text
    return Site(workspace, made.json()["key"]["kid"], made.json()["secret"])


async def site_with_a_pair(workspace: Workspace) -> Site:
    """The site of a workspace's inbox, with a pair of keys of its own."""
    manager, pair = await workspace.key(), OKPKey.generate_key("Ed25519")
    body = {"algorithm": "EdDSA", "public_key": pair.as_dict(private=False)}
    made = await manager.post(keys_path(workspace), body)
    assert made.status_code == 201, made.text
    return Site(workspace, made.json()["key"]["kid"], pair=pair)


async def show(
    workspace: Workspace, token: str, *, by: Person | None = None, **body: Any
) -> httpx2.Response:
    """The answer to who shows an identity token, with a token of his own where he has one."""
    headers = {} if by is None else {"Authorization": f"Bearer {by.token}"}
    body = {"identity_token": token, "device_id": DEVICE, **body}
    path = f"/v1/inboxes/{workspace.inbox_key}/customers"
    return await workspace.client.post(path, json=body, headers=headers)


async def identified(
    site: Site,
    sub: str = "user-7",
    *,
    by: Person | None = None,
    device: str = DEVICE,
    **claims: Any,
) -> Person:
    """Who a site vouches for."""
    token = site.token(sub, **claims)
    response = await show(site.workspace, token, by=by, device_id=device)
    assert response.status_code == 201, response.text
    found = response.json()
    return Person(
        site.workspace.client, found["access_token"], found["customer"]["id"], details=found
    )


def with_token_of(person: Person, other: Person) -> Person:
    """Somebody who has taken another's token."""
    return replace(person, token=other.token)
