"""What the service gives out as it is: its static files and its API's document, held in memory.

Owns their types, entity tags and compressed copies. Leaves who asks, and for what, to `routes`.
"""

import asyncio
import gzip
import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from quart import Response, request

from chat_service.web import already_has, without_body

FOLDER: Final = Path(__file__).parent.parent / "static"
TYPES: Final = {
    ".css": "text/css",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
    ".txt": "text/plain",
}
MAX_AGE_SECONDS: Final = 300
WORTH_COMPRESSING: Final = 1_024


@dataclass(frozen=True, slots=True)
class Asset:
    """Bytes that are the same for everybody, under the name of their content."""

    content: bytes
    media_type: str
    etag: str


def asset_of(content: bytes, media_type: str) -> Asset:
    """An asset, whose entity tag is made from its content."""
    return Asset(content, media_type, f'"{hashlib.sha256(content).hexdigest()[:16]}"')


@cache
def static_files() -> dict[str, Asset]:
    """The files below the static folder, by path; only those of a type that is known here."""
    files = sorted(path for path in FOLDER.rglob("*") if path.suffix in TYPES)
    return {
        path.relative_to(FOLDER).as_posix(): asset_of(path.read_bytes(), TYPES[path.suffix])
        for path in files
    }


async def send(asset: Asset) -> Response:
    """An asset, compressed where that is accepted and worth it; 304 for who already has it."""
    large = len(asset.content) >= WORTH_COMPRESSING
    zipped = large and request.accept_encodings["gzip"] > 0
    etag = f'{asset.etag[:-1]}-gzip"' if zipped else asset.etag
    headers = {"ETag": etag, "Cache-Control": f"public, max-age={MAX_AGE_SECONDS}"}
    if large:
        headers["Vary"] = "Accept-Encoding"
    if already_has(etag):
        return without_body(304, headers)
    if not zipped:
        return Response(asset.content, 200, headers, asset.media_type)
    headers["Content-Encoding"] = "gzip"
    content = await asyncio.to_thread(_compressed, asset)
    return Response(content, 200, headers, asset.media_type)


@cache
def _compressed(asset: Asset) -> bytes:
    return gzip.compress(asset.content, mtime=0)
