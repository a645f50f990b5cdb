"""`chat-service rotate-secret`: a new shared secret, while the one before it still counts."""

import pytest
from joserfc.jwk import OctKey

from chat_service.schema import utc_now
from chat_service.test.builders import Json
from chat_service.test.cli.programs import Shell, client_of
from chat_service.test.customers.site import DEVICE
from chat_service.test.customers.test_identity import sign

pytestmark = pytest.mark.timeout(120)


async def test_the_newest_two_secrets_are_believed(seeded: Shell) -> None:
    inbox = seeded.run("create-inbox", "--name", "Shop").out.strip()
    made = [seeded.run("rotate-secret", "--inbox", inbox, "--workspace", "demo") for _ in range(3)]
    assert [(one.code, one.err) for one in made] == [(0, "")] * 3
    answers = []
    async with client_of(seeded) as client:
        for one in made:
            told = dict(line.split(": ") for line in one.out.splitlines())
            began = int(utc_now().timestamp())
            claims: Json = {"sub": "user-7", "aud": inbox, "iat": began, "exp": began + 60}
            header = {"alg": "HS256", "kid": told["kid"]}
            token = sign(header, claims, key=OctKey.import_key(told["secret"]))
            body = {"identity_token": token, "device_id": DEVICE}
            answers.append(await client.post(f"/v1/inboxes/{inbox}/customers", json=body))
    assert [answer.status_code for answer in answers] == [422, 201, 201]
    assert answers[1].json()["customer"]["id"] == answers[2].json()["customer"]["id"]


def test_an_inbox_must_be_there(seeded: Shell) -> None:
    inbox = seeded.run("create-inbox", "--name", "Shop").out.strip()
    for arguments in (["ib_1_2"], ["Shop"], [inbox.upper()], [inbox, "--workspace", "other"]):
        refused = seeded.run("rotate-secret", "--inbox", *arguments)
        assert (refused.code, refused.out) == (1, ""), arguments
        assert "inbox" in refused.err
