"""A phone of Swift's own parts against a real lab server: killed, started again, nothing lost, nothing doubled.

The phone is `FakePhone` of ios/MobiRuntime, its network a fake; everything else is what the app runs.
"""

import itertools
import json
import os
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from mobisdk.latency.store import read_logs
from mobisdk.server.link import parse_link
from mobisdk.server.store.engine import open_store
from mobisdk.server.store.runs import iterate_lines

REPOSITORY = Path(__file__).parents[2]
IOS = REPOSITORY / "ios"
PHONE = IOS / "MobiRuntime" / ".build" / "release" / "FakePhone"
MOBISDK = [sys.executable, "-m", "mobisdk"]


def find_obstacle() -> str | None:
    if sys.platform == "darwin":
        return "on a Mac the transport speaks TLS only, and the server has none on its own loopback"
    if subprocess.run([IOS / "toolchain.sh", "which"], capture_output=True, check=False).returncode != 0:
        return "there is no Swift 6 toolchain: run make toolchains"
    return None


pytestmark = pytest.mark.skipif(find_obstacle() is not None, reason=str(find_obstacle()))


@pytest.fixture(scope="module")
def phone() -> Path:
    """Built with the same words as in ios/check.sh, so that neither builds again what the other did."""
    build = ["swift", "build", "--package-path", "ios/MobiRuntime", "--configuration", "release"]
    options = ["--product", "FakePhone", "-Xswiftc", "-warnings-as-errors", "--quiet"]
    subprocess.run([IOS / "toolchain.sh", "run", *build, *options], cwd=REPOSITORY, check=True, capture_output=True)
    return PHONE


@pytest.fixture
def storage() -> Iterator[Path]:
    """The phone's own storage, where the toolchain's chroot sees it: inside the repository."""
    with tempfile.TemporaryDirectory(prefix="phone-", dir=IOS / "MobiRuntime" / ".build") as folder:
        yield Path(folder)


class Lab:
    """`mobisdk serve` in a folder of its own, without TLS on this computer's loopback."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.store = folder / "lab" / "runs.db"
        shutil.copytree(REPOSITORY / "tests" / "contract" / "bundles" / "ios", folder / "bundles" / "small")
        self.process = subprocess.Popen(
            [*MOBISDK, "serve", "--port", "0"],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONUNBUFFERED": "1"},
        )
        assert self.process.stderr is not None
        line = next(line for line in self.process.stderr if "mobisdk://" in line)
        self.address, self.code = parse_link("mobisdk://" + line.split("mobisdk://")[1].strip())
        self._reader = threading.Thread(target=self.process.stderr.read)
        self._reader.start()

    def stop(self) -> None:
        self.process.terminate()
        assert self.process.wait(timeout=30) == 0
        self._reader.join()
        assert self.process.stderr is not None
        self.process.stderr.close()


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    lab = Lab(tmp_path)
    try:
        yield lab
    finally:
        lab.stop()


class Relay:
    """Passes bytes between phone and server; where `holds` gives a length of what the server sent, no more passes."""

    def __init__(self, port: int, holds: Callable[[bytes], int | None]) -> None:
        self._server = port
        self._holds = holds
        self.held = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                phone, _ = self._listener.accept()
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", self._server))
            threading.Thread(target=self._pass_requests, args=(phone, server), daemon=True).start()
            threading.Thread(target=self._pass_answers, args=(server, phone), daemon=True).start()

    def _pass_requests(self, phone: socket.socket, server: socket.socket) -> None:
        try:
            while piece := phone.recv(65_536):
                server.sendall(piece)
        except OSError:
            pass  # the phone was killed
        server.close()

    def _pass_answers(self, server: socket.socket, phone: socket.socket) -> None:
        came = b""
        try:
            while piece := server.recv(65_536):
                came += piece
                limit = self._holds(came)
                if limit is not None:
                    phone.sendall(piece[: max(0, limit - (len(came) - len(piece)))])
                    self.held.set()
                    return  # and the connection stays open: the phone waits
                phone.sendall(piece)
        except OSError:
            pass
        phone.close()

    def close(self) -> None:
        self._listener.close()


def start(phone: Path, port: int, code: str, storage: Path) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [IOS / "toolchain.sh", "run", phone, "lab", str(port), code, storage], stdout=subprocess.PIPE, text=True
    )


def finish(phone: Path, lab: Lab, storage: Path) -> str:
    """Let the phone do all that it wants, and return its last word."""
    process = start(phone, lab.address.port, lab.code, storage)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    return output.splitlines()[-1]


def kill(process: "subprocess.Popen[str]") -> None:
    process.kill()
    process.communicate(timeout=30)


def wait_for_size(file: Path, size: int) -> None:
    """The relay has sent the bytes; the phone writes them a moment later."""
    deadline = time.monotonic() + 30
    while not file.exists() or file.stat().st_size < size:
        assert time.monotonic() < deadline, f"{file.name} did not grow to {size} bytes"
        os.sched_yield()


def ids_in(log: Path) -> list[str]:
    """The runs of the phone's log, each once."""
    return [run.run_id for run in read_logs([log]).runs]


def ids_at(lab: Lab) -> list[str]:
    """The runs that the server keeps."""
    store = open_store(str(lab.store), create=False)
    try:
        return [json.loads(line)["run_id"] for line in iterate_lines(store)]
    finally:
        store.close()


def analyze(*logs: Path) -> dict[str, Any]:
    command = [*MOBISDK, "analyze", *map(str, logs), "--json"]
    answer = subprocess.run(command, capture_output=True, check=True)
    return json.loads(answer.stdout)  # type: ignore[no-any-return]


def test_a_phone_fetches_measures_and_uploads_and_analyze_reads_both_ends(phone: Path, lab: Lab, storage: Path) -> None:
    log = storage / "runs.jsonl"
    assert finish(phone, lab, storage) == "uploaded 6 0 0"
    assert finish(phone, lab, storage) == "uploaded 12 0 0"  # another visit sends what is new
    assert sorted(ids_at(lab)) == sorted(ids_in(log))
    analysis = analyze(log, lab.store)
    assert (analysis["runs"], analysis["duplicate_runs"], analysis["set_aside"]) == (12, 12, [])
    (group,) = analysis["groups"]
    assert group["runtime"]["name"] == "fake"
    assert [(warm["mode"], warm["runs"], warm["samples"]) for warm in group["warm"]] == [("burst", 10, 200)]
    assert [cold["runs"] for cold in group["cold"]] == [2]


def test_a_kill_in_the_middle_of_a_file_is_gone_on_from(phone: Path, lab: Lab, storage: Path) -> None:
    def hold_picture(came: bytes) -> int | None:
        start = came.find(b"\x89PNG")
        return None if start < 0 else start + 100

    relay = Relay(lab.address.port, hold_picture)
    process = start(phone, relay.port, lab.code, storage)
    assert relay.held.wait(timeout=60)
    (partial,) = (storage / "bundles").glob(".partial-*")
    wait_for_size(partial / "golden_image.png", 100)
    kill(process)
    relay.close()
    assert finish(phone, lab, storage) == "uploaded 6 0 0"
    requests = [json.loads(line) for line in (lab.folder / "lab" / "requests.jsonl").read_text().splitlines()]
    pictures = [request["status"] for request in requests if "golden_image" in json.dumps(request)]
    assert pictures == [200, 206]
    assert not list((storage / "bundles").glob(".partial-*"))


def test_a_kill_in_the_middle_of_the_log_loses_the_run_under_way_alone(phone: Path, lab: Lab, storage: Path) -> None:
    process = start(phone, lab.address.port, lab.code, storage)
    assert process.stdout is not None
    logged = list(itertools.islice((line for line in process.stdout if "logged" in line), 3))
    kill(process)
    log = storage / "runs.jsonl"
    before = ids_in(log)
    assert before[:3] == [line.split()[1] for line in logged]
    with log.open("ab") as file:
        file.write(b'{"schema": "mobisdk.lat')  # as a kill in the middle of a line leaves it
    count = len(before) + 6
    assert finish(phone, lab, storage) == f"uploaded {count} 0 1"
    ids = ids_in(log)
    assert ids[: len(before)] == before
    assert len(ids) == count
    assert sorted(ids_at(lab)) == sorted(ids)


@pytest.mark.parametrize(
    ("limit", "sentence", "whole_runs"),
    [(1_000, "the bundle cannot be stored", 0), (5_000, "runs.jsonl cannot be written", 2)],
)
def test_a_phone_that_is_full_says_so_and_goes_on_when_there_is_space(
    phone: Path, lab: Lab, storage: Path, limit: int, sentence: str, whole_runs: int
) -> None:
    def fill_disk() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # writing past the limit is an error then, as on a full disk
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    command = [IOS / "toolchain.sh", "run", phone, "lab", str(lab.address.port), lab.code, storage]
    full = subprocess.run(command, preexec_fn=fill_disk, capture_output=True, text=True, check=False)
    assert full.returncode == 1
    assert full.stderr.startswith(f"Error: {sentence}")
    assert "Free some space" in full.stderr
    log = storage / "runs.jsonl"
    before = log.read_bytes() if log.exists() else b""
    assert len(before.splitlines()) == whole_runs
    assert finish(phone, lab, storage) == f"uploaded {whole_runs + 6} 0 0"
    assert log.read_bytes().startswith(before)
    assert sorted(ids_at(lab)) == sorted(ids_in(log))


def test_a_kill_between_the_servers_answer_and_the_phone_doubles_nothing(phone: Path, lab: Lab, storage: Path) -> None:
    def hold_counts(came: bytes) -> int | None:
        start = came.find(b'"accepted"')
        return None if start < 0 else start

    relay = Relay(lab.address.port, hold_counts)
    process = start(phone, relay.port, lab.code, storage)
    assert relay.held.wait(timeout=60)
    kill(process)
    relay.close()
    assert len(ids_at(lab)) == 6
    assert finish(phone, lab, storage) == "uploaded 6 6 0"
    assert sorted(ids_at(lab)) == sorted(ids_in(storage / "runs.jsonl"))
    assert len(ids_at(lab)) == 12
