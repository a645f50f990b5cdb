"""Options that follow the same rules as fields over HTTP."""

from collections.abc import Callable
from typing import Annotated, Any

import click
from pydantic import Field, TypeAdapter, ValidationError

from chat_service.transport import Text

Password = Annotated[Text, Field(min_length=1, max_length=1024)]


def checked(kind: Any) -> Callable[[click.Context, click.Parameter, str], Any]:
    """The callback of an option of one of the wire's types; a usage error where it is refused."""
    adapter: TypeAdapter[Any] = TypeAdapter(kind)

    def check(_: click.Context, __: click.Parameter, value: str) -> Any:
        try:
            return adapter.validate_python(value)
        except ValidationError as error:
            raise click.BadParameter(error.errors()[0]["msg"]) from None

    return check
