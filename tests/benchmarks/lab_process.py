"""A lab server as a process of its own, and phones in this one: what the server's measurements share."""

import atexit
import http.client
import json
import re
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mobisdk.latency.log import to_json_line
from mobisdk.server.simulation import make_runs
from mobisdk.server.store.engine import open_store
from mobisdk.server.tokens import create_token

CONTRACT = Path(__file__).parents[1] / "contract"
SAMPLES = 100
_RUN_ID = "00000000-0000-4000-8000-000000000000"


class LabProcess:
    """`mobisdk serve` on loopback in `folder`; `store` is a path or a URL."""

    def __init__(self, folder: Path, store: str) -> None:
        self.folder, self.store = folder, store
        atexit.register(self._kill)
        self.process: subprocess.Popen[str] | None = None
        self.port = 0

    def start(self) -> None:
        command = [sys.executable, "-m", "mobisdk", "serve", "--port", str(self.port), "--store", self.store]
        command += ["--bundles", str(CONTRACT / "bundles")]
        self.process = subprocess.Popen(
            command, cwd=self.folder, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True
        )
        assert self.process.stderr is not None
        for line in self.process.stderr:
            found = re.search(r"http://127\.0\.0\.1:(\d+)/#code=(\S+)", line)
            if found:
                self.port, self.code = int(found.group(1)), found.group(2)
                break
        else:
            raise RuntimeError("the server did not start")
        threading.Thread(target=self.process.stderr.read, daemon=True).start()

    def end(self, number: int) -> int:
        """Send a signal and wait; the exit status."""
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(60)

    def _kill(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.kill()

    def memory_bytes(self) -> int:
        assert self.process is not None
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return 1024 * int(re.search(r"VmRSS:\s+(\d+)", status).group(1))  # type: ignore[union-attr]

    def tokens(self, count: int) -> list[str]:
        store = open_store(self.store if "://" in self.store else str(self.folder / self.store))
        try:
            return [create_token(store, f"phone {number}", ("read", "write"))[0] for number in range(count)]
        finally:
            store.close()


def template_lines(count: int) -> list[str]:
    """Lines of runs of 100 samples, whose run_id is to be replaced: making each anew would load the processor."""
    manifests = [
        json.loads((CONTRACT / "bundles" / name / "manifest.json").read_bytes()) for name in ("android", "ios")
    ]
    rng = np.random.default_rng(11)
    runs = [run for phone in range(8) for run in make_runs(manifests, phone, count // 8, rng)]
    assert all(run.inference_ns.size == SAMPLES for run in runs)
    return [to_json_line(run).replace(run.run_id, _RUN_ID) for run in runs]


def make_body(templates: Sequence[str], first: int, count: int) -> tuple[list[str], bytes]:
    """An upload of new runs: their ids, and the body."""
    ids = [str(uuid.uuid4()) for _ in range(count)]
    lines = [templates[(first + number) % len(templates)].replace(_RUN_ID, ids[number]) for number in range(count)]
    return ids, "".join(f"{line}\n" for line in lines).encode()


def upload(connection: http.client.HTTPConnection, token: str, body: bytes, *, is_gzip: bool = False) -> dict[str, Any]:
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/x-ndjson"}
    if is_gzip:
        headers["Content-Encoding"] = "gzip"
    connection.request("POST", "/v1/runs", body, headers)
    response = connection.getresponse()
    document = json.loads(response.read())
    if response.status != 200:
        raise RuntimeError(f"{response.status}: {document}")
    return dict(document)


def read_run_ids(lab: LabProcess) -> list[str]:
    store = open_store(lab.store if "://" in lab.store else str(lab.folder / lab.store))
    from mobisdk.server.store.runs import iterate_lines

    try:
        return [json.loads(line)["run_id"] for line in iterate_lines(store)]
    finally:
        store.close()


def wait_until(moment: float) -> None:
    left = moment - time.perf_counter()
    if left > 0:
        time.sleep(left)
