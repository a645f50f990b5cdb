"""What is written out without a model is what the models document."""

from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from chat_service.messages.transport import CustomerMessage, StaffMessage, message_view
from chat_service.schema import AuthorType, Visibility, new_id

WRITTEN: dict[str, Any] = {
    "id": new_id(),
    "session_id": new_id(),
    "seq": 7,
    "public_seq": 3,
    "client_message_id": "m-1",
    "author_type": AuthorType.CUSTOMER,
    "author_id": new_id(),
    "visibility": Visibility.PUBLIC,
    "content": {"type": "text", "text": "Hello", "format": "plain"},
    "reply_to_id": new_id(),
    "metadata": {"secret": 1},
    "public_metadata": {"page": "/"},
    "version": 2,
    "created_at": datetime(2026, 11, 22, 7, 38, 0, 123456, tzinfo=UTC),
    "edited_at": datetime(2026, 11, 22, 7, 39, tzinfo=UTC),
    "deleted_at": None,
}
NOTHING = {"content": None, "reply_to_id": None, "author_id": None, "edited_at": None}


@pytest.mark.parametrize("row", [WRITTEN, WRITTEN | NOTHING], ids=["full", "empty"])
@pytest.mark.parametrize("model", [CustomerMessage, StaffMessage])
def test_a_message_is_written_as_its_model_says(
    row: dict[str, Any], model: type[CustomerMessage]
) -> None:
    view = message_view(model is CustomerMessage, row, "Ada")
    written = orjson.dumps(view)
    documented = model.model_validate_json(written)
    assert orjson.loads(written) == orjson.loads(documented.model_dump_json(by_alias=True))


def test_a_customer_gets_no_staff_number_and_no_metadata() -> None:
    view = message_view(True, WRITTEN, "Ada")
    assert view["seq"] == 3
    assert not {"public_seq", "metadata"} & set(view)
