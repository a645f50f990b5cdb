"""Wire models of the keys of an inbox."""

from typing import Annotated, Any, Final
from uuid import UUID

from joserfc.errors import JoseError
from joserfc.jwk import OKPKey
from pydantic import AfterValidator, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

from chat_service.schema import KeyAlgorithm
from chat_service.transport import Request, Response, Time, example

CURVE: Final = "Ed25519"
TEXT_AT_MOST: Final = 1_024
UNUSABLE: Final = PydanticCustomError(
    "unusable_key", "must be a public key of Ed25519, as JWK or PEM"
)
PRIVATE: Final = PydanticCustomError(
    "private_key", "must not hold the private key, which is the site's alone: make a new pair"
)
JWK_EXAMPLE: Final = {
    "kty": "OKP",
    "crv": "Ed25519",
    "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
}


def _public_jwk(value: Any) -> dict[str, str]:
    """The public key of an Ed25519 pair, given as JWK (RFC 8037) or PEM, as a JWK of three members."""
    if isinstance(value, dict) and "d" in value:
        raise PRIVATE
    try:
        key = OKPKey.import_key(_members(value))
    except (JoseError, ValueError) as error:
        raise UNUSABLE from error
    if key.is_private:
        raise PRIVATE
    if key.curve_name != CURVE:
        raise UNUSABLE
    return {name: str(member) for name, member in key.as_dict(private=False).items()}


def _members(value: Any) -> Any:
    """What counts of a key; raises ValueError for what is none of this kind."""
    if isinstance(value, str) and len(value) <= TEXT_AT_MOST:
        return value
    if not isinstance(value, dict) or (value.get("kty"), value.get("crv")) != ("OKP", CURVE):
        raise ValueError("neither a JWK of the curve nor a text")
    return {"kty": "OKP", "crv": CURVE, "x": value.get("x")}


PublicKey = Annotated[
    Any,
    AfterValidator(_public_jwk),
    WithJsonSchema({"anyOf": [{"type": "object"}, {"type": "string", "maxLength": TEXT_AT_MOST}]}),
]
"""An Ed25519 public key, as JWK or as text in PEM."""


class NewInboxKey(Request):
    """A key for the host site: HS256 is a shared secret that is made here, EdDSA the site's own pair."""

    model_config = example(algorithm="EdDSA", public_key=JWK_EXAMPLE)

    algorithm: KeyAlgorithm
    public_key: PublicKey | None = Field(
        default=None, description="With EdDSA only: the public key of Ed25519, as JWK or PEM."
    )


class InboxKeyView(Response):
    """A key of an inbox. Tokens name it by `kid`; `public_key` is null where there is a secret."""

    object: str = Field(examples=["inbox_key"])
    id: UUID
    kid: str
    inbox_id: UUID
    algorithm: KeyAlgorithm
    public_key: dict[str, str] | None
    created_at: Time


class InboxKeyList(Response):
    """The live keys of an inbox, the oldest first."""

    data: list[InboxKeyView]


class CreatedInboxKey(Response):
    """The new key. `secret` is shown here and never again; its characters are the key as they stand."""

    key: InboxKeyView
    secret: str | None
