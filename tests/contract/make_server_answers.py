"""Write `server/`: answers of the lab server, good and bad, and what a client must do with each.

Run it after a change of the protocol (README.md beside this file), and commit what it writes:
`.venv/bin/python tests/contract/make_server_answers.py`
"""

import base64
import hashlib
import json
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).with_name("server")
BUNDLES = Path(__file__).with_name("bundles")
MANIFEST = json.loads((BUNDLES / "android" / "manifest.json").read_bytes())
BUNDLE_ID = MANIFEST["bundle_id"]
LABELS = (BUNDLES / "android" / "labels.txt").read_bytes()
MODEL = (BUNDLES / "android" / "model.pte").read_bytes()

Answer = dict[str, Any]
TOKEN = {"Authorization": "Bearer a-token"}


def get(path: str, **headers: str) -> Answer:
    return {"method": "GET", "path": path, "headers": {**TOKEN, **{k.replace("_", "-"): v for k, v in headers.items()}}}


def file_path(name: str) -> str:
    return f"/v1/bundles/{BUNDLE_ID}/files/{name}"


UPLOAD = {
    "method": "POST",
    "path": "/v1/runs",
    "headers": {**TOKEN, "Content-Type": "application/x-ndjson", "Content-Encoding": "gzip"},
    "lines": 3,
}
LIST = get("/v1/bundles?platform=android")
WHOLE = get(file_path("model.pte"))
ETAG = f'"{hashlib.sha256(MODEL).hexdigest()}"'
RESUME = get(file_path("model.pte"), Range="bytes=24-", If_Range=ETAG) | {
    "have_base64": base64.b64encode(MODEL[:24]).decode()
}


def answer(status: int, body: bytes, content_type: str, **headers: str) -> Answer:
    """`body` is what arrives; Content-Length is its length unless `headers` say otherwise."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    response: Answer = {
        "status": status,
        "headers": {"Content-Type": content_type, "Content-Length": str(len(body)), **named},
    }
    try:
        return response | {"body": body.decode()}
    except UnicodeDecodeError:
        return response | {"body_base64": base64.b64encode(body).decode()}


def as_json(document: Any, status: int = 200, **headers: str) -> Answer:
    return answer(status, json.dumps(document).encode(), "application/json", **headers)


def problem(status: int, title: str, detail: str, **headers: str) -> Answer:
    document = {"type": "about:blank", "title": title, "status": status, "detail": detail}
    return answer(status, json.dumps(document).encode(), "application/problem+json", **headers)


def content(status: int, body: bytes, whole: bytes, **headers: str) -> Answer:
    digest = hashlib.sha256(whole).hexdigest()
    return answer(
        status,
        body,
        "application/octet-stream",
        **{"ETag": f'"{digest}"', "X_Content_SHA256": digest, "Accept_Ranges": "bytes", **headers},
    )


def counted(accepted: int, duplicates: int, *rejected: tuple[int, str]) -> Answer:
    lines = [{"line": line, "reason": reason} for line, reason in rejected]
    return as_json({"accepted": accepted, "duplicates": duplicates, "rejected": lines})


def exchanges() -> dict[str, tuple[Answer, Answer, str]]:
    """Request, response and what the client must do, by name."""
    model = MANIFEST["model"]
    summary = {key: MANIFEST[key] for key in ("bundle_id", "variant_id", "created_at")} | {
        "name": f"mobilenet_v1-a0.25-r8-xnnpack_fp32-{BUNDLE_ID[:8]}",
        "platform": "android",
        "recipe": "xnnpack_fp32",
        **{key: model[key] for key in ("arch", "alpha", "resolution")},
        "weights_source": "random",
        "size_bytes": sum(entry["size_bytes"] for entry in MANIFEST["files"].values()),
    }
    other = MODEL[::-1]
    html = answer(200, b"<!doctype html><title>Sign in to the network</title>\n", "text/html")
    rest = MODEL[24:]
    ranged = "bytes 24-63/64"
    whole_list = json.dumps({"bundles": [summary]}).encode()
    tokens = {"method": "POST", "path": "/v1/tokens", "headers": {"Content-Type": "application/json"}}
    join = tokens | {"body": json.dumps({"code": "one-time-code", "name": "Pixel 8"})}
    return {
        "join": (join, as_json({"token": "a-token", "rights": ["read", "write"]}, 201), "use"),
        "join_code_used_twice": (join, problem(401, "Unauthorized", "The code was used. Show a new one."), "sign_in"),
        "bundles": (LIST, answer(200, whole_list, "application/json"), "use"),
        "bundles_none": (LIST, as_json({"bundles": []}), "use"),
        "bundles_unknown_keys": (LIST, as_json({"bundles": [summary | {"note": "x"}], "next": None}), "use"),
        "bundles_json_cut": (LIST, answer(200, whole_list[: len(whole_list) // 2], "application/json"), "retry"),
        "bundles_html": (LIST, html, "retry"),
        "bundles_wrong_shape": (LIST, as_json({"bundles": [{"bundle_id": "../../evil"}]}), "give_up"),
        "bundles_endless": (
            LIST,
            answer(200, b'{"bundles": [', "application/json", Content_Length="104857600")
            | {"then_repeat": " ", "times": 104857587},
            "give_up",
        ),
        "file": (WHOLE, content(200, MODEL, MODEL), "use"),
        "file_of_text": (get(file_path("labels.txt")), content(200, LABELS, LABELS), "use"),
        "file_resumed": (RESUME, content(206, rest, MODEL, Content_Range=ranged), "use"),
        "file_shorter_than_its_length": (WHOLE, content(200, MODEL[:24], MODEL, Content_Length="64"), "resume"),
        "file_longer_than_its_length": (
            WHOLE,
            content(200, MODEL + b"x", MODEL, Content_Length="64"),
            "restart_download",
        ),
        "file_longer_than_the_manifest": (WHOLE, content(200, MODEL + b"x", MODEL), "restart_download"),
        "file_wrong_hash": (WHOLE, content(200, other, MODEL), "restart_download"),
        "file_hash_header_not_the_manifests": (WHOLE, content(200, other, other), "restart_download"),
        "file_html": (WHOLE, html, "retry"),
        "file_not_of_the_manifest": (
            get(file_path("secret.txt")),
            problem(404, "Not Found", "No file of this bundle."),
            "give_up",
        ),
        "file_outside_the_bundle": (
            get(file_path("%2e%2e/secret.txt")),
            problem(404, "Not Found", "No file of this bundle."),
            "give_up",
        ),
        "resume_changed_etag": (RESUME, content(200, other, other), "restart_download"),
        "resume_whole_file_again": (RESUME, content(200, MODEL, MODEL), "use"),
        "resume_206_of_another_etag": (
            RESUME,
            content(206, other[24:], other, Content_Range=ranged),
            "restart_download",
        ),
        "resume_206_of_another_range": (
            RESUME,
            content(206, MODEL[20:], MODEL, Content_Range="bytes 20-63/64"),
            "restart_download",
        ),
        "resume_416": (
            RESUME,
            problem(416, "Range Not Satisfiable", "The file has 64 bytes.", Content_Range="bytes */64"),
            "restart_download",
        ),
        "upload_accepted": (UPLOAD, counted(3, 0), "use"),
        "upload_duplicates": (UPLOAD, counted(1, 2), "use"),
        "upload_rejected": (UPLOAD, counted(2, 0, (2, "$.mode: 'idle' is not a mode")), "reject_line"),
        "upload_counts_do_not_add_up": (UPLOAD, counted(1, 0), "retry"),
        "upload_rejects_a_line_not_sent": (UPLOAD, counted(2, 0, (9, "no such line")), "retry"),
        "upload_json_cut": (UPLOAD, answer(200, b'{"accepted": 3, "dupl', "application/json"), "retry"),
        "upload_html": (UPLOAD, html, "retry"),
        "upload_401": (
            UPLOAD,
            problem(401, "Unauthorized", "Unknown token. Join again.", WWW_Authenticate="Bearer"),
            "sign_in",
        ),
        "upload_403": (UPLOAD, problem(403, "Forbidden", "This token may only read."), "give_up"),
        "upload_413": (UPLOAD, problem(413, "Content Too Large", "At most 16 MiB a request."), "split"),
        "upload_429": (
            UPLOAD,
            problem(429, "Too Many Requests", "At most 60 requests a minute.", Retry_After="7"),
            "retry",
        ),
        "upload_500": (UPLOAD, problem(500, "Internal Server Error", "See the server's log."), "retry"),
        "upload_503": (
            UPLOAD,
            problem(503, "Service Unavailable", "The store's disk is full.", Retry_After="30"),
            "retry",
        ),
        "upload_redirect": (
            UPLOAD,
            answer(307, b"", "text/plain", Location="https://other.example/v1/runs"),
            "give_up",
        ),
    }


def make_files() -> dict[str, bytes]:
    """Every file's content by name."""
    return {
        f"{name}.json": json.dumps({"request": request, "response": response, "expect": expect}, indent=2).encode()
        + b"\n"
        for name, (request, response, expect) in exchanges().items()
    }


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for name, made in make_files().items():
        (FOLDER / name).write_bytes(made)
