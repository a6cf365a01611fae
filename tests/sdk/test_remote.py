import http.server
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from mobisdk.cli.logs_argument import read_runs
from mobisdk.errors import ServerError
from mobisdk.latency.remote import TOKEN_VARIABLE, iterate_remote_lines

LINES = (Path(__file__).parents[1] / "contract/latency/good.jsonl").read_bytes().splitlines()
TOKEN = "reader"  # noqa: S105


class Lab(http.server.BaseHTTPRequestHandler):
    """A lab server that gives three runs a page; `/away` redirects, `/loop` never goes on."""

    def do_GET(self) -> None:
        path = urlsplit(self.path)
        if path.path.startswith("/away"):
            self.send_response(302)
            self.send_header("Location", "http://127.0.0.1:1/v1/runs")
            self.end_headers()
            return
        if self.headers.get("Authorization") != f"Bearer {TOKEN}":
            self.send_error(401)
            return
        after = int(parse_qs(path.query)["after"][0])
        page = LINES[after : after + 3]
        body = b"".join(line + b"\n" for line in page)
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-Next-After", "0" if path.path.startswith("/loop") else str(after + len(page)))
        if after + 3 < len(LINES):
            self.send_header("Link", '</v1/runs?after=3>; rel="next"')
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def lab(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setenv(TOKEN_VARIABLE, TOKEN)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Lab) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_every_page_is_read(lab: str) -> None:
    assert [line.rstrip() for line in iterate_remote_lines(lab)] == LINES
    assert len(read_runs([f"{lab}/v1/runs"]).runs) == len(LINES)


def test_server_that_refuses_says_how_to_get_in(lab: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(TOKEN_VARIABLE)
    with pytest.raises(ServerError, match=r"refuses its runs, got 401\. Put a token"):
        list(iterate_remote_lines(lab))


def test_token_is_sent_nowhere_else(lab: str) -> None:
    with pytest.raises(ServerError, match="got 302"):
        list(iterate_remote_lines(f"{lab}/away"))


def test_pages_that_do_not_go_on_are_an_error(lab: str) -> None:
    with pytest.raises(ServerError, match="pages do not go on"):
        list(iterate_remote_lines(f"{lab}/loop"))


def test_server_that_is_not_there_is_told() -> None:
    with pytest.raises(ServerError, match="does not answer"):
        list(iterate_remote_lines("http://127.0.0.1:1"))
