"""A real lab server in a thread, for the tests of its rooms; those of other rooms pay nothing for it."""

import dataclasses
import itertools
import os
import shutil
import ssl
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

CONTRACT = Path(__file__).parent / "contract"


@dataclasses.dataclass
class RunningLab:
    """A server that listens on loopback, over TLS where `certificate` is set."""

    lab: Any
    server: Any
    thread: threading.Thread
    certificate: Any
    folder: Path

    @property
    def url(self) -> str:
        return str(self.lab.address.url)

    def client(self, token: str | None = None, **options: Any) -> httpx.Client:
        """A client that follows no redirect and trusts the server's certificate alone."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        verify: Any = True
        if self.certificate:
            verify = ssl.create_default_context(cafile=str(self.certificate.cert))
        return httpx.Client(base_url=self.url, headers=headers, verify=verify, timeout=30, trust_env=False, **options)

    def token(self, *rights: str) -> str:
        from mobisdk.server.tokens import create_token

        return create_token(self.lab.store, "test", rights or ("read", "write"))[0]  # type: ignore[arg-type]

    def stop(self) -> None:
        from mobisdk.server.lab import close_lab

        self.server.should_exit = True
        self.thread.join(30)
        assert not self.thread.is_alive()
        close_lab(self.lab)


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Callable[[], str]]:
    """Gives the URL of a new, empty database of a PostgreSQL that this test run starts and stops."""
    programs = [*Path("/usr/lib/postgresql").glob("*/bin/initdb"), *filter(None, [shutil.which("initdb")])]
    if not programs:
        pytest.skip("needs PostgreSQL: tests/install_programs.sh")
    binaries = Path(programs[0]).parent
    folder = Path(tempfile.mkdtemp(prefix="mobisdk-pg-", dir="/tmp"))
    as_user: list[str] = []
    if os.getuid() == 0:  # PostgreSQL refuses to run as root
        shutil.chown(folder, "postgres", "postgres")
        as_user = ["runuser", "-u", "postgres", "--"]
    data = folder / "data"
    quiet = {"check": True, "stdout": subprocess.DEVNULL, "cwd": folder}
    try:
        subprocess.run([*as_user, binaries / "initdb", "-D", data, "-U", "lab", "-A", "trust", "-E", "UTF8"], **quiet)
        options = f"-k {folder} -c listen_addresses='' -c max_connections=60"
        control = [*as_user, binaries / "pg_ctl", "-D", data, "-w", "-l", folder / "log"]
        subprocess.run([*control, "-o", options, "start"], **quiet)
        try:
            numbers = itertools.count()

            def create() -> str:
                name = f"lab{next(numbers)}"
                subprocess.run([*as_user, binaries / "createdb", "-h", folder, "-U", "lab", name], **quiet)
                return f"postgresql://lab@/{name}?host={folder}"

            yield create
        finally:
            subprocess.run([*control, "-m", "immediate", "stop"], **quiet)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


StartLab = Callable[..., RunningLab]


@pytest.fixture(scope="module")
def bundles_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bundles")
    shutil.copytree(CONTRACT / "bundles" / "android", folder / "android")
    shutil.copytree(CONTRACT / "bundles" / "ios", folder / "ios")
    return folder


@pytest.fixture(scope="module")
def start_lab(tmp_path_factory: pytest.TempPathFactory, bundles_folder: Path) -> Iterator[StartLab]:
    """Starts servers: `start_lab(tls=, store=, bundles=, limits=)`."""
    from mobisdk.server.app import create_app
    from mobisdk.server.certificate import keep_certificate
    from mobisdk.server.lab import open_lab
    from mobisdk.server.limits import Limits
    from mobisdk.server.link import Address
    from mobisdk.server.listen import bind, create_server
    from mobisdk.server.request_log import open_log
    from mobisdk.server.store.engine import open_store

    running: list[RunningLab] = []

    def start(
        *,
        tls: bool = False,
        store: str | None = None,
        bundles: Path | None = None,
        limits: Limits | None = None,
        accuracies: Any = None,
    ) -> RunningLab:
        folder = tmp_path_factory.mktemp("lab")
        listener = bind("127.0.0.1", 0)
        certificate = keep_certificate(folder, ["127.0.0.1"]) if tls else None
        address = Address("127.0.0.1", listener.getsockname()[1], certificate.sha256 if certificate else None)
        opened = open_store(store or str(folder / "runs.db"))
        lab = open_lab(opened, bundles or bundles_folder, address, limits, accuracies)
        ready = threading.Event()
        server = create_server(
            create_app(lab, open_log(folder / "requests.jsonl")), certificate, lab.limits, ready.set, lab.stopping.set
        )
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        assert ready.wait(30)
        running.append(RunningLab(lab, server, thread, certificate, folder))
        return running[-1]

    yield start
    for started in running:
        if started.thread.is_alive():
            started.stop()
