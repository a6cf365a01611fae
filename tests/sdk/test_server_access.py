"""Closed by default: who gets in, what each may do, and what is refused unheard."""

import contextlib
import json
import re
import socket
import ssl
import time
from typing import Any

import httpx
import pytest

from mobisdk.server.limits import Limits, RateLimiter
from mobisdk.server.tokens import create_code

OPEN = {"/v1/health", "/v1/ready", "/v1/tokens", "/v1/session"}


@pytest.fixture(scope="module")
def lab(start_lab: Any) -> Any:
    return start_lab()


@pytest.fixture
def anyone(lab: Any) -> Any:
    with lab.client() as client:
        yield client


def sign_in(client: httpx.Client, lab: Any, *rights: Any) -> httpx.Response:
    code = create_code(lab.lab.store, rights or ("read", "write", "manage"))
    return client.post("/v1/session", json={"code": code}, headers={"Origin": lab.url})


def test_every_route_without_a_token_is_401(lab: Any, anyone: httpx.Client) -> None:
    with lab.client(lab.token("read")) as reader:
        paths = reader.get("/openapi.json").json()["paths"]
    assert len(paths) >= 8
    problem = "application/problem+json"
    for operation in (operation for methods in paths.values() for operation in methods.values()):
        assert problem in operation["responses"]["default"]["content"]
    for path, methods in paths.items():
        for method in methods:
            if path in OPEN and (path, method) not in {
                ("/v1/tokens", "get"),
                ("/v1/session", "delete"),
            }:
                continue
            answer = anyone.request(method, re.sub("{.*?}", "x", path))
            assert answer.status_code == 401, (method, path)
            assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert anyone.get("/openapi.json").status_code == 401


@pytest.mark.parametrize(
    "header", ["Bearer", "Basic abc", "Bearer a b", "bearer é".encode(), b"bearer \xff", "Bearer " + "x" * 5000]
)
def test_authorization_that_is_no_token_is_401(anyone: httpx.Client, header: str | bytes) -> None:
    assert anyone.get("/v1/bundles", headers={"Authorization": header}).status_code == 401


def test_rights_are_apart(lab: Any) -> None:
    with lab.client(lab.token("read")) as reader, lab.client(lab.token("write")) as writer:
        upload = {"content": b"", "headers": {"Content-Type": "application/x-ndjson"}}
        assert reader.get("/v1/bundles").status_code == 200
        assert reader.post("/v1/runs", **upload).json()["detail"] == "This token may only read."
        assert writer.post("/v1/runs", **upload).status_code == 200
        assert writer.get("/v1/runs").status_code == 403
        for client in (reader, writer):
            assert client.get("/v1/tokens").status_code == 403
            assert client.post("/v1/codes", json={}).status_code == 403


def test_code_when_used_by_a_phone_never_gives_the_right_to_manage(lab: Any, anyone: httpx.Client) -> None:
    code = create_code(lab.lab.store, ("read", "write", "manage"))
    assert anyone.post("/v1/tokens", json={"code": code, "name": "x"}).json()["rights"] == ["read", "write"]
    assert anyone.post("/v1/session", json={"code": code}).status_code == 401


def test_code_when_too_old_is_refused(lab: Any, anyone: httpx.Client) -> None:
    code = create_code(lab.lab.store, ("read",), lifetime_s=-1)
    assert anyone.post("/v1/tokens", json={"code": code, "name": "x"}).status_code == 401


def test_token_when_revoked_is_refused_at_the_next_request(lab: Any, anyone: httpx.Client) -> None:
    assert sign_in(anyone, lab).status_code == 201
    code = (
        anyone.post("/v1/codes", json={"rights": ["read"]}, headers={"Origin": lab.url})
        .json()["link"]
        .split("code=")[1]
    )
    with lab.client() as phone:
        joined = phone.post("/v1/tokens", json={"code": code, "name": "<script>\x00"}).json()
        assert joined["rights"] == ["read"]
        phone.headers["Authorization"] = f"Bearer {joined['token']}"
        assert phone.get("/v1/bundles").status_code == 200
        listed = {token["name"]: token for token in anyone.get("/v1/tokens").json()["tokens"]}
        assert joined["token"] not in json.dumps(listed)
        token_id = listed["<script>\x00"]["token_id"]
        assert anyone.delete(f"/v1/tokens/{token_id}", headers={"Origin": lab.url}).status_code == 204
        assert phone.get("/v1/bundles").status_code == 401
        assert anyone.delete(f"/v1/tokens/{token_id}", headers={"Origin": lab.url}).status_code == 404


def test_session_is_a_strict_cookie_that_ends_when_the_page_signs_out(lab: Any, anyone: httpx.Client) -> None:
    cookie = sign_in(anyone, lab).headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert anyone.get("/v1/session").json() == {"rights": ["read", "manage"]}
    kept = "; ".join(f"{name}={value}" for name, value in anyone.cookies.items())
    assert anyone.delete("/v1/session", headers={"Origin": lab.url}).status_code == 204
    assert anyone.get("/v1/session", headers={"Cookie": kept}).json() == {"rights": []}
    assert anyone.get("/v1/tokens", headers={"Cookie": kept}).status_code == 401


def test_session_over_tls_is_a_secure_cookie(start_lab: Any) -> None:
    lab = start_lab(tls=True)
    with lab.client() as page:
        assert "Secure" in sign_in(page, lab).headers["Set-Cookie"]
    lab.stop()


def test_page_of_a_code_without_manage_may_only_read(lab: Any, anyone: httpx.Client) -> None:
    assert sign_in(anyone, lab, "read", "write").json() == {"rights": ["read"]}


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://127.0.0.1:1", "https://127.0.0.1"])
def test_request_from_another_origin_is_refused_with_a_good_cookie(lab: Any, anyone: httpx.Client, origin: str) -> None:
    sign_in(anyone, lab)
    assert anyone.get("/v1/session", headers={"Origin": origin}).status_code == 403
    assert anyone.post("/v1/codes", json={}, headers={"Origin": origin}).status_code == 403


def test_change_by_cookie_without_an_origin_is_refused(lab: Any, anyone: httpx.Client) -> None:
    sign_in(anyone, lab)
    assert anyone.post("/v1/codes", json={}).status_code == 403


@pytest.mark.parametrize(
    "host", ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "", "[::1", "a b"]
)
def test_host_of_another_name_is_refused(anyone: httpx.Client, host: str) -> None:
    assert anyone.get("/v1/health", headers={"Host": host}).status_code in (400, 421)


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:8765", "192.168.7.7", "[::1]:9", socket.gethostname()])
def test_host_of_this_computer_is_answered(anyone: httpx.Client, host: str) -> None:
    assert anyone.get("/v1/health", headers={"Host": host}).status_code == 200


def test_every_answer_has_the_security_headers(lab: Any, anyone: httpx.Client) -> None:
    with lab.client(lab.token("read")) as reader:
        answers = [
            anyone.get("/v1/health"),
            anyone.get("/nothing"),
            anyone.get("/v1/health", headers={"Host": "x.example"}),
        ]
        answers.append(reader.get("/v1/bundles"))
    for answer in answers:
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert "server" not in answer.headers


def test_wrong_secrets_slow_an_address_down(start_lab: Any) -> None:
    lab = start_lab(limits=Limits(refusals_a_minute=3))
    good = lab.token("read")
    with lab.client() as client:
        answers = [client.get("/v1/bundles", headers={"Authorization": f"Bearer guess{i}"}) for i in range(4)]
        assert [answer.status_code for answer in answers] == [401, 401, 401, 429]
        assert int(answers[-1].headers["Retry-After"]) > 0
        assert client.post("/v1/tokens", json={"code": "x" * 22, "name": "x"}).status_code == 429
        assert client.get("/v1/bundles", headers={"Authorization": f"Bearer {good}"}).status_code == 429
        assert client.get("/v1/health").status_code == 200
    lab.stop()


def test_requests_past_the_limit_are_429_with_the_seconds_to_wait(start_lab: Any) -> None:
    lab = start_lab(limits=Limits(requests_a_minute=2, requests_a_minute_by_address=5))
    with lab.client(lab.token("read")) as client:
        statuses = [client.get("/v1/bundles").status_code for _ in range(3)]
        assert statuses == [200, 200, 429]
        answers = [client.get("/v1/health") for _ in range(3)]
        assert [answer.status_code for answer in answers] == [200, 200, 429]
        assert answers[-1].headers["Retry-After"] == "12"
    lab.stop()


def test_rate_limiter_refills_and_forgets_the_oldest_client() -> None:
    now = [0.0]
    limiter = RateLimiter(60, most_clients=2, clock=lambda: now[0])
    assert [limiter.take("a") for _ in range(61)][-2:] == [0, 1]
    now[0] = 0.5
    assert limiter.take("a") == 0.5
    now[0] = 1
    assert limiter.wait("a") == 0
    assert limiter.take("a") == 0
    limiter.take("b")
    limiter.take("c")
    assert limiter.wait("a") == 0


def test_connections_past_the_limit_are_closed(start_lab: Any) -> None:
    lab = start_lab(limits=Limits(connections_by_address=3))
    opened = [socket.create_connection(("127.0.0.1", lab.lab.address.port), timeout=10) for _ in range(4)]
    try:
        for connection in opened:
            connection.settimeout(10)
        with contextlib.suppress(ConnectionError):
            assert opened[3].recv(1000) == b""
        opened[0].sendall(b"GET /v1/health HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert opened[0].recv(1000).startswith(b"HTTP/1.1 200")
    finally:
        for connection in opened:
            connection.close()
    lab.stop()


def test_headers_that_do_not_end_are_cut_off(start_lab: Any) -> None:
    lab = start_lab(limits=Limits(headers_seconds=0.2))
    with socket.create_connection(("127.0.0.1", lab.lab.address.port), timeout=10) as connection:
        connection.sendall(b"GET /v1/health HTTP/1.1\r\nHost: local")
        started = time.monotonic()
        with contextlib.suppress(ConnectionResetError):
            assert connection.recv(100) == b""
        assert time.monotonic() - started < 5
    lab.stop()


def test_request_log_has_a_line_a_request_and_no_secret(start_lab: Any) -> None:
    lab = start_lab()
    token, code = lab.token("read"), create_code(lab.lab.store, ("read",))
    with lab.client(token) as client:
        client.get("/v1/runs?after=0&token=in-the-query")
        client.get("/nothing%0A\u202e")
    with lab.client() as client:
        client.post("/v1/tokens", json={"code": code, "name": "a phone"})
        client.get("/v1/bundles", headers={"Authorization": "Bearer guessed"})
    lab.stop()
    text = (lab.folder / "requests.jsonl").read_text()
    entries = [json.loads(line) for line in text.splitlines()]
    assert [(entry["method"], entry["status"]) for entry in entries] == [
        ("GET", 200),
        ("GET", 404),
        ("POST", 201),
        ("GET", 401),
    ]
    assert entries[0]["token"]
    assert entries[0]["path"] == "/v1/runs"
    for secret in (token, code, "guessed", "in-the-query"):
        assert secret not in text
    assert text.isascii()


def test_certificate_when_not_trusted_is_refused_by_a_client(start_lab: Any) -> None:
    lab = start_lab(tls=True)
    with (
        pytest.raises(httpx.ConnectError),
        httpx.Client(verify=ssl.create_default_context(), trust_env=False) as client,
    ):
        client.get(lab.url)
    lab.stop()
