"""Options that follow the same rules as fields over HTTP."""

from collections.abc import Callable
from typing import Any

import click
from pydantic import TypeAdapter, ValidationError


def checked(kind: Any) -> Callable[[click.Context, click.Parameter, Any], Any]:
    """The callback of an option of one of the wire's types; a usage error where it is refused."""
    adapter: TypeAdapter[Any] = TypeAdapter(kind)

    def check(_: click.Context, __: click.Parameter, value: str | None) -> Any:
        if value is None:
            return None
        try:
            return adapter.validate_python(value)
        except ValidationError as error:
            raise click.BadParameter(error.errors()[0]["msg"]) from None

    return check
