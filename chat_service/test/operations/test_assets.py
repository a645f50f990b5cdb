"""Static files: named by their content, compressed where it helps, nothing from elsewhere."""

from pathlib import Path

import httpx2
import pytest

from chat_service.operations.assets import FOLDER, static_files

BUNDLE = "docs/swagger-ui-bundle.js"


@pytest.mark.parametrize("name", sorted(static_files()))
async def test_a_file_is_served_as_it_is(client: httpx2.AsyncClient, name: str) -> None:
    response = await client.get(f"/static/{name}", headers={"Accept-Encoding": "identity"})
    assert response.content == (FOLDER / name).read_bytes()
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["Cache-Control"] == "public, max-age=300"
    known = {"If-None-Match": response.headers["ETag"], "Accept-Encoding": "identity"}
    assert (await client.get(f"/static/{name}", headers=known)).status_code == 304


async def test_a_large_file_is_compressed_for_who_accepts_it(client: httpx2.AsyncClient) -> None:
    plain, zipped, refused = [
        await client.get(f"/static/{BUNDLE}", headers={"Accept-Encoding": encoding})
        for encoding in ("identity", "br, gzip;q=0.8", "gzip;q=0")
    ]
    assert zipped.headers["Content-Encoding"] == "gzip"
    assert int(zipped.headers["Content-Length"]) < len(plain.content) / 2
    assert zipped.content == plain.content == refused.content
    assert "Content-Encoding" not in refused.headers
    assert zipped.headers["ETag"] != plain.headers["ETag"]
    assert {answer.headers["Vary"] for answer in (plain, zipped)} == {"Accept-Encoding"}


async def test_a_small_file_is_not_worth_it(client: httpx2.AsyncClient) -> None:
    response = await client.get("/static/icon.svg", headers={"Accept-Encoding": "gzip"})
    assert "Content-Encoding" not in response.headers
    assert "Vary" not in response.headers


@pytest.mark.parametrize(
    "path", ["../errors.py", "%2e%2e/errors.py", "docs", "docs/", "missing.js", "/etc/passwd", ""]
)
@pytest.mark.asvs("13.4.3", "13.4.7")
@pytest.mark.api_top10("API8")
async def test_nothing_else_is_served(client: httpx2.AsyncClient, path: str) -> None:
    response = await client.get(f"/static/{path}")
    assert (response.status_code, response.json()["code"]) == (404, "not_found")


def test_the_files_of_others_keep_their_licences() -> None:
    notice = (FOLDER / "docs/NOTICE.txt").read_text()
    assert "swagger-ui-dist 5." in notice and "Apache License" in notice
    assert "Apache License" in (FOLDER / "docs/LICENSE.txt").read_text()
    assert (FOLDER / f"{BUNDLE}.LICENSE.txt").stat().st_size > 0


@pytest.mark.parametrize("path", sorted(FOLDER.rglob("*.*")), ids=lambda path: path.name)
def test_no_file_names_a_source_map(path: Path) -> None:
    assert b"sourceMappingURL=" not in path.read_bytes()
