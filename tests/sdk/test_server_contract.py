"""The recorded answers that both apps are tested with are this server's own."""

import base64
import gzip
import hashlib
import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from mobisdk.latency.log import parse_run, to_json_line
from mobisdk.server.limits import Limits
from mobisdk.server.store.engine import Store
from mobisdk.server.store.schema import codes, tokens

CONTRACT = Path(__file__).parents[1] / "contract"
RECORDED: dict[str, Any] = {
    file.stem: json.loads(file.read_bytes()) for file in sorted((CONTRACT / "server").glob("*.json"))
}
RUN = (CONTRACT / "latency" / "good.jsonl").read_bytes().splitlines()[0]


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def run_line(number: int, **changes: Any) -> str:
    return json.dumps(json.loads(RUN) | {"run_id": f"00000000-0000-4000-8000-{number:012d}"} | changes)


def packed(*lines: str) -> bytes:
    return gzip.compress("".join(f"{line}\n" for line in lines).encode())


def ask(client: httpx.Client, request: dict[str, Any], body: bytes | None = None, **headers: str) -> httpx.Response:
    content = body if body is not None else request.get("body", "").encode()
    return client.request(
        request["method"], client.base_url.join(request["path"]), headers=request["headers"] | headers, content=content
    )


def add_recorded_secrets(store: Store) -> None:
    """The recordings say `a-token` and `one-time-code`."""
    with store.writing() as connection:
        connection.execute(
            codes.insert().values(code_sha256=sha256("one-time-code"), rights="read write", expires_at=2**60)
        )
        for name, rights in (("a-token", "read write"), ("a-reader", "read")):
            connection.execute(
                tokens.insert().values(
                    token_id=name,
                    secret_sha256=sha256(name),
                    kind="phone",
                    name='"Pixel 8"',
                    rights=rights,
                    created_at=0,
                )
            )


@pytest.fixture(params=["loopback", "TLS"])
def client(start_lab: Any, request: Any) -> Any:
    running = start_lab(tls=request.param == "TLS")
    add_recorded_secrets(running.lab.store)
    with running.client() as client:
        yield client
    running.stop()


def check(response: httpx.Response, name: str, *, same_body: bool = True) -> None:
    """Status, headers and body are the recorded ones; a server may send more headers."""
    recorded = RECORDED[name]["response"]
    assert response.status_code == recorded["status"], response.text
    for header, value in recorded["headers"].items():
        if header != "Content-Length":
            assert response.headers[header] == value, header
    if "json" in recorded["headers"]["Content-Type"]:
        expected, found = json.loads(recorded["body"]), response.json()
        assert found == expected if same_body else set(found) == set(expected)
    else:
        whole = base64.b64decode(recorded["body_base64"]) if "body_base64" in recorded else recorded["body"].encode()
        assert response.content == whole
    assert int(response.headers["Content-Length"]) == len(response.content)


def test_recorded_exchanges_when_replayed_have_the_recorded_answers(client: httpx.Client, bundles_folder: Path) -> None:
    joined = ask(client, RECORDED["join"]["request"])
    check(joined, "join", same_body=False)
    assert joined.json()["rights"] == ["read", "write"]
    check(ask(client, RECORDED["join_code_used_twice"]["request"]), "join_code_used_twice")
    own = {"Authorization": f"Bearer {joined.json()['token']}"}
    check(ask(client, RECORDED["bundles"]["request"], **own), "bundles")
    for name in (
        "bundles",
        "file",
        "file_of_text",
        "file_resumed",
        "file_not_of_the_manifest",
        "file_outside_the_bundle",
        "resume_whole_file_again",
    ):
        request = RECORDED[name]["request"]
        changes = {"Range": "pages=1"} if name == "resume_whole_file_again" else {}
        check(ask(client, request, **changes), name)
    changed = ask(client, RECORDED["resume_changed_etag"]["request"], **{"If-Range": '"0"'})
    check(changed, "resume_whole_file_again")
    check(ask(client, RECORDED["resume_416"]["request"], Range="bytes=64-"), "resume_416")


def test_recorded_uploads_when_replayed_have_the_recorded_answers(client: httpx.Client) -> None:
    upload = RECORDED["upload_accepted"]["request"]
    lines = [run_line(number) for number in range(5)]
    check(ask(client, upload, packed(*lines[:3])), "upload_accepted")
    check(ask(client, upload, packed(lines[0], lines[1], lines[3])), "upload_duplicates")
    rejected = ask(client, upload, packed(run_line(8), run_line(9, mode="idle"), run_line(10)))
    check(rejected, "upload_rejected", same_body=False)
    assert rejected.json()["accepted"] == 2
    assert [(item["line"], item["reason"][:13]) for item in rejected.json()["rejected"]] == [(2, "mode is wrong")]
    check(ask(client, upload, packed(*lines), Authorization="Bearer another"), "upload_401")
    check(ask(client, upload, packed(*lines), Authorization="Bearer a-reader"), "upload_403")
    check(ask(client, upload, b"x" * (16 * 2**20 + 1)), "upload_413")


def test_runs_when_read_back_page_by_page_are_those_that_were_sent(client: httpx.Client) -> None:
    lines = [run_line(number, extra={"kept": number}) for number in range(7)]
    assert ask(client, RECORDED["upload_accepted"]["request"], packed(*lines)).json()["accepted"] == 7
    client.headers["Authorization"] = "Bearer a-token"
    found: list[str] = []
    path: Any = "/v1/runs?limit=3"
    pages = 0
    while path:
        page = client.get(path)
        assert page.headers["Content-Type"] == "application/x-ndjson"
        found += page.text.splitlines()
        path = page.links.get("next", {}).get("url")
        pages += 1
    assert pages == 3
    assert found == lines
    assert client.get(f"/v1/runs?after={page.headers['X-Next-After']}").text == ""


def test_run_id_when_sent_again_with_other_content_is_rejected_and_the_first_stays(client: httpx.Client) -> None:
    upload = RECORDED["upload_accepted"]["request"]
    first, other = run_line(1), run_line(1, run_index=5)
    respelled = to_json_line(parse_run(first)).replace("00000000-0000-4000-8000", "00000000-0000-4000-8000".upper())
    assert ask(client, upload, packed(first)).json()["accepted"] == 1
    answer = ask(client, upload, packed(other, respelled, first)).json()
    assert (answer["accepted"], answer["duplicates"]) == (0, 2)
    assert [item["line"] for item in answer["rejected"]] == [1]
    twice_at_once = ask(client, upload, packed(run_line(2), run_line(2, run_index=7), run_line(2))).json()
    assert (twice_at_once["accepted"], twice_at_once["duplicates"]) == (1, 1)
    assert [item["line"] for item in twice_at_once["rejected"]] == [2]
    assert client.get("/v1/runs", headers={"Authorization": "Bearer a-token"}).text.splitlines() == [first, run_line(2)]


def test_health_and_ready_need_no_token(client: httpx.Client) -> None:
    assert client.get("/v1/health").json() == client.get("/v1/ready").json() == {"status": "ok"}


def test_limits_have_the_recorded_sizes() -> None:
    assert Limits().body_bytes == 16 * 2**20
