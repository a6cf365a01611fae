"""The Android runtime against the real server: killed in the worst moments, it loses nothing and doubles nothing."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mobisdk.latency.log import parse_run
from mobisdk.server.certificate import keep_certificate
from mobisdk.server.store.engine import open_store
from mobisdk.server.store.runs import iterate_lines

REPOSITORY = Path(__file__).parents[2]
ANDROID = REPOSITORY / "android"
BUNDLE = REPOSITORY / "tests/contract/bundles/android"
BUNDLE_NAME = "mobilenet_v1-a0.25-r8-xnnpack_fp32-12dac8d6"
KILLED = 9

_toolchain = subprocess.run([ANDROID / "toolchain.sh", "which"], capture_output=True, text=True)
if _toolchain.returncode:
    if os.environ.get("CI"):
        raise RuntimeError(_toolchain.stderr)
    pytest.skip(_toolchain.stderr.strip(), allow_module_level=True)


class Lab:
    """A server that runs, and what it keeps."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.store = folder / "runs.db"
        shutil.copytree(BUNDLE, folder / "bundles" / BUNDLE_NAME)
        certificate = keep_certificate(folder, ["127.0.0.1"])
        places = ("--bundles", folder / "bundles", "--store", self.store, "--port", "0")
        tls = ("--tls-cert", certificate.cert, "--tls-key", certificate.key)
        command = [sys.executable, "-m", "mobisdk", "serve", *places, *tls]
        self.process = subprocess.Popen(
            command, cwd=folder, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True
        )
        self.link = self._read_link()

    def _read_link(self) -> str:
        assert self.process.stderr is not None
        said = ""
        for line in self.process.stderr:
            said += line
            if found := re.search(r"mobisdk://\S+", line):
                return found[0]
        raise AssertionError(f"the server ended: {said}")

    def run_ids(self) -> list[str]:
        store = open_store(str(self.store), create=False)
        try:
            return [parse_run(line).run_id for line in iterate_lines(store)]
        finally:
            store.close()

    def statuses(self, path: str) -> list[int]:
        file = self.folder / "lab/requests.jsonl"
        lines = file.read_text().splitlines() if file.exists() else []
        return [request["status"] for request in map(json.loads, lines) if request["path"].endswith(path)]

    def close(self) -> None:
        self.process.terminate()
        self.process.wait(timeout=20)
        assert self.process.stderr is not None
        self.process.stderr.close()


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    lab = Lab(tmp_path)
    yield lab
    lab.close()


def start_phone(folder: Path, *arguments: object) -> "subprocess.CompletedProcess[str]":
    folder.mkdir(exist_ok=True)
    command = [ANDROID / "check/fake_phone.sh", "lab", folder, *arguments]
    return subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=300)


def analyze(log: Path) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "mobisdk", "analyze", log, "--emulators", "--json"],  # FakePhone says that it is none
        capture_output=True,
        text=True,
        check=True,
    )
    document: dict[str, Any] = json.loads(done.stdout)
    return document


def test_a_phone_that_is_killed_three_times_loses_and_doubles_nothing(lab: Lab, tmp_path: Path) -> None:
    phone = tmp_path / "phone"
    for halt in ("download", "line", "answer"):
        killed = start_phone(phone, lab.link, 4, halt)
        assert killed.returncode == KILLED, killed.stderr
    finished = start_phone(phone, lab.link, 4)
    assert finished.returncode == 0, finished.stderr
    assert finished.stdout.splitlines() == [f"bundles {BUNDLE_NAME}", "log 5 1", "sent 0 5 1"]
    # It went on in the middle of the file, and sent all again whose answer it never noted.
    assert lab.statuses("/files/model.pte") == [200, 206]
    assert lab.statuses("/v1/runs") == [200, 200]
    assert lab.statuses("/v1/tokens") == [201]
    log = phone / "runs.jsonl"
    kept = [parse_run(line) for line in log.read_bytes().splitlines() if _is_run(line)]
    assert lab.run_ids() == [run.run_id for run in kept]
    assert [run.mode for run in kept].count("cold") == 1
    assert (
        len({run.process_id for run in kept}) == 3
    )  # the cold start, and the two that measured before they were killed
    report = analyze(log)
    assert (report["runs"], [line["line"] for line in report["set_aside"]]) == (5, [3])
    (group,) = report["groups"]
    assert [(part["mode"], part["runs"], part["samples"]) for part in group["warm"]] == [("burst", 4, 80)]
    assert [part["runs"] for part in group["cold"]] == [1]


def _is_run(line: bytes) -> bool:
    return line.endswith(b"}")


def test_a_link_of_another_certificate_is_refused_in_a_sentence(lab: Lab, tmp_path: Path) -> None:
    link = re.sub("sha256=[0-9a-f]{64}", "sha256=" + 64 * "0", lab.link)
    refused = start_phone(tmp_path / "phone", link, 1)
    assert refused.returncode == 1
    assert refused.stderr == (
        "the certificate of this server is not the one of its QR code. Join the server again: scan its QR code\n"
    )
    assert lab.statuses("/v1/tokens") == []
