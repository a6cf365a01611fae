"""The page and its files. They hold no secret, so they need no token: the page asks for a code first."""

import functools
import hashlib
from pathlib import Path
from typing import Final

from anyio.to_thread import run_sync
from fastapi import APIRouter, Request
from starlette.responses import Response

from mobisdk.server.problems import ProblemError

_FOLDER: Final = Path(__file__).parents[1] / "page"
_TYPES: Final = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
_VEGA: Final = "vega.js"

router = APIRouter(include_in_schema=False)


@router.get("/")
async def get_page(request: Request) -> Response:
    """Send the page."""
    return _answer(request, "index.html", _read("index.html"))


@router.get("/page/{name}")
async def get_file(request: Request, name: str) -> Response:
    """Send a file of the page."""
    if name == _VEGA:
        return _answer(request, name, await run_sync(bundle_vega))
    if name not in _names():
        raise ProblemError(404, "No file of the page.")
    return _answer(request, name, _read(name))


@functools.cache
def bundle_vega() -> bytes:
    """Vega, Vega-Lite, Vega-Embed and the expression interpreter in one script; it takes a second or two."""
    from vl_convert import javascript_bundle

    return javascript_bundle("window.vegaEmbed = vegaEmbed;").encode()


@functools.cache
def _names() -> frozenset[str]:
    return frozenset(path.name for path in _FOLDER.iterdir() if path.suffix in _TYPES)


@functools.cache
def _read(name: str) -> bytes:
    return (_FOLDER / name).read_bytes()


def _answer(request: Request, name: str, content: bytes) -> Response:
    etag = f'"{_hash(content)}"'
    headers = {"ETag": etag, "Cache-Control": "no-cache"}
    if request.headers.get("if-none-match") == etag:
        return Response(status_code=304, headers=headers)
    return Response(content, media_type=_TYPES[Path(name).suffix], headers=headers)


@functools.lru_cache(maxsize=64)
def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:32]
