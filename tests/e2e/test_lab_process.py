"""The lab server as a process: killed under load, it keeps what it acknowledged, and nothing twice."""

import json
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from mobisdk.cli.app import app
from mobisdk.errors import ServerError
from mobisdk.latency.log import to_json_line
from mobisdk.server.client import LabClient
from mobisdk.server.link import Address, parse_link
from mobisdk.server.simulation import make_runs, pack, read_manifests
from mobisdk.server.store.engine import open_store
from mobisdk.server.store.runs import iterate_lines

BUNDLES = Path(__file__).parents[1] / "contract" / "bundles"
NDJSON = {"Content-Type": "application/x-ndjson", "Content-Encoding": "gzip"}
PHONES = 4


class Lab:
    def __init__(self, folder: Path, *options: str) -> None:
        self.folder, self.options = folder, options
        self.process: Any = None

    def start(self) -> str:
        """Start it; the link that it shows."""
        command = [sys.executable, "-m", "mobisdk", "serve", "--port", "0", "--bundles", str(BUNDLES), *self.options]
        self.process = subprocess.Popen(
            command, cwd=self.folder, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True
        )
        for line in self.process.stderr:
            if found := re.search(r"mobisdk://\S+", line):
                self.thread = threading.Thread(target=self.process.stderr.read)
                self.thread.start()
                return found.group()
        raise AssertionError("the server ended")

    def end(self, number: int) -> int:
        self.process.send_signal(number)
        status: int = self.process.wait(30)
        self.thread.join()
        self.process.stderr.close()
        return status

    def run_ids(self) -> list[str]:
        store = open_store(str(self.folder / "lab" / "runs.db"), create=False)
        try:
            return [json.loads(line)["run_id"] for line in iterate_lines(store)]
        finally:
            store.close()


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    lab = Lab(tmp_path)
    yield lab
    if lab.process is not None and lab.process.poll() is None:
        lab.end(signal.SIGKILL)


class Load:
    """Phones that upload until the server is gone; `acknowledged` holds what it said is durable."""

    def __init__(self, client: LabClient, seed: int) -> None:
        import numpy as np

        self.acknowledged: set[str] = set()
        self.enough = threading.Event()
        with client:
            manifests = read_manifests(client)
        self.threads = [
            threading.Thread(
                target=self._upload, args=(client.another(), manifests, phone, np.random.default_rng(seed + phone))
            )
            for phone in range(PHONES)
        ]
        for thread in self.threads:
            thread.start()

    def _upload(self, client: LabClient, manifests: Any, phone: int, rng: Any) -> None:
        with client:
            while True:
                runs = make_runs(manifests, phone, 5, rng)
                try:
                    answer = client.request("POST", "/v1/runs", pack(runs), NDJSON)
                except ServerError:
                    return
                assert answer["accepted"] == len(runs)
                self.acknowledged |= {run.run_id for run in runs}
                if len(self.acknowledged) >= 200:
                    self.enough.set()

    def join(self) -> set[str]:
        for thread in self.threads:
            thread.join()
        return self.acknowledged


def join(link: str) -> LabClient:
    address, code = parse_link(link)
    return LabClient.join(address, code, "test")


def test_acknowledged_runs_outlive_kill_9_and_sigterm_drains_and_exits_with_0(lab: Lab) -> None:
    acknowledged: set[str] = set()
    for turn, number in enumerate([signal.SIGKILL, signal.SIGKILL, signal.SIGTERM]):
        load = Load(join(lab.start()), seed=100 * turn)
        assert load.enough.wait(60)
        status = lab.end(number)
        acknowledged |= load.join()
        assert status == (0 if number == signal.SIGTERM else -signal.SIGKILL)
        found = lab.run_ids()
        assert len(found) == len(set(found))
        assert acknowledged <= set(found)


def test_soak_of_ten_phones_leaves_memory_where_it_was(lab: Lab) -> None:
    """A short version; `make bench-server` takes ten minutes."""
    import numpy as np

    client = join(lab.start())
    manifests = read_manifests(client)
    rng = np.random.default_rng(1)
    bodies = [pack(make_runs(manifests, phone, 50, rng)) for phone in range(10)]

    def memory_bytes() -> int:
        status = Path(f"/proc/{lab.process.pid}/status").read_text()
        return 1024 * int(re.search(r"VmRSS:\s+(\d+)", status).group(1))  # type: ignore[union-attr]

    def send_all() -> None:
        for body in bodies:
            client.request("POST", "/v1/runs", body, NDJSON)
            client.request("GET", "/v1/overview")

    for _ in range(4):
        send_all()
    warm = memory_bytes()
    for _ in range(12):
        send_all()
    assert memory_bytes() - warm < 20e6
    client.close()
    assert lab.end(signal.SIGTERM) == 0


def test_page_that_watches_does_not_hold_up_the_end(lab: Lab) -> None:
    import http.client

    address, code = parse_link(lab.start())
    client = LabClient.join(address, code, "page")
    watching = http.client.HTTPConnection(address.host, address.port, timeout=30)
    watching.request("GET", "/v1/events", headers={"Authorization": f"Bearer {client._token}"})
    response = watching.getresponse()
    assert response.headers["Content-Type"].startswith("text/event-stream")
    assert response.readline() == b"retry: 1000\n"
    assert lab.end(signal.SIGTERM) == 0
    assert b"event: runs" in response.read()
    watching.close()


def test_simulated_phones_join_over_tls_and_their_runs_can_be_analyzed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab = Lab(tmp_path, "--host", "0.0.0.0")  # noqa: S104
    link = lab.start()
    assert parse_link(link)[0].sha256
    link = re.sub(r"address=[^&]*%3A", "address=127.0.0.1%3A", link)
    monkeypatch.chdir(tmp_path)
    arguments = ["simulate-phones", "5", link, "--runs", "6", "--batch", "3", "--pause", "0", "--json"]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.stderr
    assert json.loads(done.stdout)["accepted"] == 30
    again = CliRunner().invoke(app, arguments)
    assert again.exit_code == 1
    assert "The code was used" in again.stderr
    with pytest.raises(ServerError, match="another certificate"):
        LabClient.join(Address("127.0.0.1", parse_link(link)[0].port, "00" * 32), "x" * 22, "test")
    listed = json.loads(CliRunner().invoke(app, ["serve", "tokens", "--json"]).stdout)
    assert [token["name"] for token in listed] == ["simulate-phones"]
    revoked = CliRunner().invoke(app, ["serve", "tokens", "--revoke", listed[0]["token_id"], "--json"])
    assert json.loads(revoked.stdout) == []
    assert lab.end(signal.SIGTERM) == 0
    analyzed = CliRunner().invoke(app, ["analyze", "lab/runs.db", "--json"])
    assert json.loads(analyzed.stdout)["runs"] == 30


def test_serve_with_a_wrong_certificate_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("cert.pem").write_text("no PEM")
    done = CliRunner().invoke(app, ["serve", "--port", "0", "--tls-cert", "cert.pem", "--tls-key", "cert.pem"])
    assert done.exit_code == 1
    assert "certificate cannot be read" in done.stderr
    assert CliRunner().invoke(app, ["serve", "--tls-cert", "cert.pem"]).exit_code == 2


def test_serve_imports_nothing_heavy() -> None:
    script = (
        "import sys, mobisdk.server.app, mobisdk.server.simulation, mobisdk.cli.serve, mobisdk.server.overview\n"
        "assert not {'torch', 'executorch', 'coremltools', 'torchao'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def test_made_runs_keep_the_contract() -> None:
    import numpy as np

    manifests = [json.loads((BUNDLES / name / "manifest.json").read_bytes()) for name in ("android", "ios")]
    for phone in range(8):
        for run in make_runs(manifests, phone, 20, np.random.default_rng(phone)):
            to_json_line(run)
