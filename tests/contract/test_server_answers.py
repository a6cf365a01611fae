"""The recorded answers of the lab server: whole, in the README's words, and true to the bundle that they serve."""

import base64
import hashlib
import json
import re
import runpy
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).with_name("server")
ANSWERS: dict[str, Any] = {file.stem: json.loads(file.read_bytes()) for file in sorted(FOLDER.glob("*.json"))}


def body_of(response: dict[str, Any]) -> bytes:
    return base64.b64decode(response["body_base64"]) if "body_base64" in response else response["body"].encode()


def test_files_are_what_the_generator_makes() -> None:
    made = runpy.run_path(str(Path(__file__).with_name("make_server_answers.py")))["make_files"]()
    assert made == {file.name: file.read_bytes() for file in FOLDER.iterdir()}


def test_every_word_of_expect_is_defined_in_the_readme_and_used() -> None:
    readme = Path(__file__).with_name("README.md").read_text(encoding="utf-8")
    defined = set(re.findall(r"^\| `(\w+)` \|", readme.split("### What a client must do")[1].split("\n#")[0], re.M))
    assert defined == {answer["expect"] for answer in ANSWERS.values()}


def test_only_the_answers_that_lie_have_a_length_that_is_not_their_bodys() -> None:
    lying = {
        name
        for name, answer in ANSWERS.items()
        if int(answer["response"]["headers"]["Content-Length"]) != len(body_of(answer["response"]))
    }
    assert lying == {"bundles_endless", "file_shorter_than_its_length", "file_longer_than_its_length"}


def test_a_used_file_has_the_manifests_hash_and_its_etag() -> None:
    manifest = json.loads((Path(__file__).with_name("bundles") / "android" / "manifest.json").read_bytes())
    used = [a for a in ANSWERS.values() if a["expect"] == "use" and "/files/" in a["request"]["path"]]
    assert len(used) == 4
    for answer in used:
        request, response = answer["request"], answer["response"]
        kept = base64.b64decode(request.get("have_base64", "")) if response["status"] == 206 else b""
        digest = hashlib.sha256(kept + body_of(response)).hexdigest()
        assert digest == manifest["files"][request["path"].split("/files/")[1]]["sha256"]
        assert response["headers"]["X-Content-SHA256"] == digest
        assert response["headers"]["ETag"] == f'"{digest}"'


def test_errors_are_problems_of_rfc_9457_that_say_their_status() -> None:
    errors = [answer["response"] for answer in ANSWERS.values() if answer["response"]["status"] >= 400]
    assert {error["status"] for error in errors} == {401, 403, 404, 413, 416, 429, 500, 503}
    for error in errors:
        assert error["headers"]["Content-Type"] == "application/problem+json"
        document = json.loads(body_of(error))
        assert set(document) == {"type", "title", "status", "detail"}
        assert document["status"] == error["status"]
