"""Trials on the machines of a Ray cluster; their files come back over Ray, so no folder for runs need be shared."""

import contextlib
import logging
import os
import signal
import socket
import tempfile
import threading
import uuid
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import mobisdk
from mobisdk.data.fingerprint import fingerprint_data
from mobisdk.errors import ConfigError, DataError, DeviceError, MobiError, UnsupportedError
from mobisdk.files import PARTIAL_MARK, folder_atomically, write_atomically
from mobisdk.training.runs import SPEC, STATE
from mobisdk.training.sweep.spec import Trial
from mobisdk.training.sweep.trial import MOST_LOSSES, EpochReport, KeepOn, TrialEnd, TrialEvent, TrialLost, run_trial

_SECONDS_TO_ANSWER: Final = 5.0
_SECONDS_TO_LOOK: Final = 120.0
"""Until every machine has imported mobisdk and looked for the data."""
_SECONDS_A_ROUND: Final = 1.0
_HTTP2_SETTINGS: Final = b"\x04"
"""The type of the frame that every gRPC server sends first."""
_HTTP2_GREETING: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(3) + _HTTP2_SETTINGS + bytes(5)
_Files = Mapping[str, bytes]
"""A run's files by name."""


@contextlib.contextmanager
def connect(address: str, data: str, *, cpus: float = 1.0, gpus: float = 0.0) -> Iterator["RayCluster"]:
    """Join the cluster at `address` (`auto`, or HOST:PORT), and check that each of its machines can train on `data`.

    `cpus` and `gpus` are what a trial takes, and may be fractions. This machine must be one of the cluster's.

    Raises:
        UnsupportedError: Ray is not installed, or the address is a Ray Client's.
        ConfigError: the address is none, or no machine has what a trial takes.
        DeviceError: nothing answers, or a machine's mobisdk is another one.
        DataError: a machine does not have the data.
    """
    # Ray reads these when it is imported.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # or it warns of its own future
    try:
        import ray
    except ImportError as error:
        raise UnsupportedError("--ray needs Ray", hint="pip install 'mobisdk[ray]'") from error
    _check_address(address)
    on_terminate = signal.getsignal(signal.SIGTERM)
    try:
        ray.init(
            address, namespace=f"mobisdk-{uuid.uuid4().hex}", configure_logging=False, log_to_driver=False,
            logging_level=logging.ERROR,
        )  # fmt: skip
    except (ConnectionError, RuntimeError, ValueError, TimeoutError, ray.exceptions.RayError) as error:
        raise DeviceError(
            "no Ray cluster answers", got=address,
            hint="First: ray start --head --disable-usage-stats; on further machines: ray start --address HOST:6379",
        ) from error  # fmt: skip
    try:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, on_terminate)  # Ray's own would exit with another status
        cluster = RayCluster(cpus, gpus)
        cluster.check_room()
        _check_machines(data)
        yield cluster
    finally:
        ray.shutdown()


def _check_address(address: str) -> None:
    """Find out in seconds what takes Ray a minute."""
    if address == "auto":
        return
    host, _, port = address.rpartition(":")
    if "://" in address:
        raise UnsupportedError(
            "a Ray Client's address is not supported", got=address, allowed="auto, HOST:PORT",
            hint="Run the sweep on a machine of the cluster, with --ray auto",
        )  # fmt: skip
    if not host or not port.isascii() or not port.isdecimal() or not 0 < int(port) < 65_536:
        raise ConfigError("the address of a Ray cluster is wrong", got=address, allowed="auto, HOST:PORT")
    try:
        with socket.create_connection((host, int(port)), _SECONDS_TO_ANSWER) as connection:
            connection.sendall(_HTTP2_GREETING)
            answer = connection.recv(9)
    except OSError as error:
        why = error.strerror or str(error)
    else:
        why = "" if answer[3:4] == _HTTP2_SETTINGS else "something else listens there"
    if why:
        raise DeviceError(
            f"no Ray cluster answers ({why})", got=address,
            hint="`ray start --head` on the cluster's first machine says where it listens",
        )  # fmt: skip


def _look(data: str) -> tuple[str, str]:
    """On a machine of the cluster: which mobisdk it has, and what it sees of the data."""
    return mobisdk.__version__, fingerprint_data(data)


def _check_machines(data: str) -> None:
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    expected = _look(data)
    looks = {
        node["NodeManagerAddress"]: ray.remote(_look)
        .options(num_cpus=0, scheduling_strategy=NodeAffinitySchedulingStrategy(node["NodeID"], soft=False))
        .remote(data)
        for node in ray.nodes()
        if node["Alive"]
    }
    for host, look in looks.items():
        try:
            version, seen = ray.get(look, timeout=_SECONDS_TO_LOOK)
        except ray.exceptions.RayTaskError as error:
            cause = error.as_instanceof_cause()
            if isinstance(cause, MobiError):
                raise DataError(
                    f"{host} of the cluster cannot read the data: {cause.what}", got=data,
                    hint="Put it on a disk that every machine mounts at this path, or copy it there",
                ) from error  # fmt: skip
            raise DeviceError(
                f"{host} of the cluster cannot run mobisdk", got=str(error).strip().splitlines()[-1],
                hint=f"There: pip install 'mobisdk[ray]=={mobisdk.__version__}'",
            ) from error  # fmt: skip
        except ray.exceptions.RayError as error:
            raise DeviceError(f"{host} of the cluster does not answer", got=str(error).strip()) from error
        if version != expected[0]:
            raise DeviceError(f"{host} of the cluster has another mobisdk", got=version, allowed=expected[0])
        if seen != expected[1]:
            raise DataError(
                f"{host} of the cluster has other files as the data", got=data, hint="Copy the very same ones there"
            )


class _Mailbox:
    """On this machine: takes what trials send, and tells them whether to go on."""

    def __init__(self) -> None:
        self._letters: list[tuple[EpochReport, _Files]] = []
        self._hopeless: set[str] = set()

    def post(self, report: EpochReport, files: _Files) -> bool:
        """Take an epoch's report and files; whether the trial is worth another one, by what was known before."""
        self._letters.append((report, files))
        return report.trial not in self._hopeless

    def take(self) -> list[tuple[EpochReport, _Files]]:
        """What came since the last time."""
        letters, self._letters = self._letters, []
        return letters

    def give_up(self, trial: str) -> None:
        """Have a trial end at its next report."""
        self._hopeless.add(trial)


def _train_there(trial: Trial, files: _Files, mailbox: Any) -> TrialEnd:
    """On a machine of the cluster: train in a folder of its own, and send every whole epoch home."""
    import ray

    with tempfile.TemporaryDirectory(prefix="mobisdk-trial-") as name:
        runs = Path(name)
        folder = runs / trial.name
        if files:
            folder.mkdir()
            for file, content in files.items():
                (folder / file).write_bytes(content)

        def keep_on(report: EpochReport) -> bool:
            return bool(ray.get(mailbox.post.remote(report, _read_files(folder))))

        return run_trial(trial, runs, keep_on)


def _read_files(folder: Path) -> dict[str, bytes]:
    if not folder.exists():
        return {}
    paths = sorted(path for path in folder.iterdir() if path.is_file() and not path.name.startswith(PARTIAL_MARK))
    return {path.name: path.read_bytes() for path in paths}


def _keep_files(folder: Path, files: _Files) -> None:
    """Write what came; the state last, as a training on this machine does."""
    if not (folder / SPEC).exists():
        with folder_atomically(folder) as partial:
            for name, content in files.items():
                (partial / name).write_bytes(content)
        return
    for name in sorted(files, key=lambda name: name == STATE):
        write_atomically(folder / name, files[name])


@dataclass
class RayCluster:
    """A cluster that this process has joined; `connect` makes one."""

    cpus: float
    gpus: float
    _losses: Counter[str] = field(default_factory=Counter)

    def check_room(self) -> None:
        """Refuse trials that no machine of the cluster could ever begin.

        Raises:
            ConfigError: each machine has fewer CPUs or GPUs.
        """
        if not self._has_room():
            there = [{kind: node["Resources"].get(kind, 0.0) for kind in ("CPU", "GPU")} for node in self._nodes()]
            raise ConfigError(
                "no machine of the cluster has what a trial takes", got={"CPU": self.cpus, "GPU": self.gpus},
                allowed=", ".join(f"{node['CPU']:g} CPUs and {node['GPU']:g} GPUs" for node in there),
                hint="Take fewer with --cpus-per-trial and --gpus-per-trial",
            )  # fmt: skip

    def train(self, trials: Sequence[Trial], runs: Path, keep_on: KeepOn) -> Iterator[TrialEvent]:
        """Train `trials` where there is room; one whose machine dies goes on elsewhere from its last whole epoch."""
        import ray
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
        mailbox: Any = ray.remote(_Mailbox).options(num_cpus=0, scheduling_strategy=here).remote()
        # Ray's own retries would begin from the start.
        remote = ray.remote(_train_there).options(num_cpus=self.cpus, num_gpus=self.gpus, max_retries=0)

        def begin(trial: Trial) -> Any:
            return remote.remote(trial, _read_files(runs / trial.name), mailbox)

        running = {begin(trial): trial for trial in trials}
        try:
            while running:
                ready, _ = ray.wait(list(running), timeout=_SECONDS_A_ROUND)
                for report, files in ray.get(mailbox.take.remote()):
                    _keep_files(runs / report.trial, files)
                    if not keep_on(report):
                        ray.get(mailbox.give_up.remote(report.trial))
                    yield report
                for reference in ready:
                    trial = running.pop(reference)
                    event = self._end_of(trial, reference)
                    if isinstance(event, TrialLost):
                        running[begin(trial)] = trial
                    yield event
        finally:
            for reference in running:
                ray.cancel(reference, force=True)
            ray.kill(mailbox)

    def _end_of(self, trial: Trial, reference: Any) -> TrialEvent:
        """What became of a trial that is over."""
        import ray

        try:
            end: TrialEnd = ray.get(reference)
        except ray.exceptions.RayTaskError as error:
            return TrialEnd(trial.name, "failed", str(error).strip().splitlines()[-1])
        except ray.exceptions.RayError as error:
            why = f"its process or machine was lost ({type(error).__name__})"
            self._losses[trial.name] += 1
            if self._losses[trial.name] >= MOST_LOSSES:
                return TrialEnd(trial.name, "failed", f"{why}, {MOST_LOSSES} times")
            if not self._has_room():
                return TrialEnd(trial.name, "failed", f"{why}, and no machine is left that has room for it")
            return TrialLost(trial.name, why)
        return end

    def _has_room(self) -> bool:
        return any(
            node["Resources"].get("CPU", 0.0) >= self.cpus and node["Resources"].get("GPU", 0.0) >= self.gpus
            for node in self._nodes()
        )

    @staticmethod
    def _nodes() -> list[dict[str, Any]]:
        import ray

        return [node for node in ray.nodes() if node["Alive"]]
