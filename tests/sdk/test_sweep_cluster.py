"""A sweep on a Ray cluster of two nodes on this machine, one of which is killed in the middle."""

import signal
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from mobisdk.data.fingerprint import fingerprint_data
from mobisdk.errors import ConfigError, DataError, DeviceError
from mobisdk.specs import ModelSpec
from mobisdk.training import TrainSpec, read_run
from mobisdk.training.sweep import SweepProgress, SweepSpec, sweep
from mobisdk.training.sweep.cluster import connect
from mobisdk.training.sweep.trial import EpochReport, TrialEvent, TrialLost

_NODE = {"num_cpus": 1, "object_store_memory": 100 * 2**20}


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """A head and a second node, a CPU each, that ask nothing of the network."""
    environment = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0"}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        from ray.cluster_utils import Cluster

        started = Cluster(initialize_head=True, head_node_args={**_NODE, "include_dashboard": False})
        try:
            yield started
        finally:
            started.shutdown()


def test_sweep_when_a_node_is_killed_then_its_trial_goes_on_elsewhere_from_its_last_whole_epoch(
    cluster: Any, tmp_path: Path
) -> None:
    second = cluster.add_node(**_NODE)
    train = TrainSpec(ModelSpec(stem_stride=2), epochs=8, batch_size=256)
    spec = SweepSpec(("mobilenet_v1",), (0.1, 0.11), (32,), train)
    seen: list[TrialEvent] = []
    nodes = [second]

    def kill_once_both_run(now: SweepProgress) -> None:
        if now.event is not None:
            seen.append(now.event)
        if nodes and len({event.trial for event in seen}) == 2:
            cluster.remove_node(nodes.pop(), allow_graceful=False)

    on_terminate = signal.getsignal(signal.SIGTERM)

    with connect(cluster.address, "digits") as executor:
        assert signal.getsignal(signal.SIGTERM) is on_terminate
        result = sweep(spec, executor, runs=tmp_path, on_progress=kill_once_both_run)

    lost = [event for event in seen if isinstance(event, TrialLost)]
    assert len(lost) == 1
    later = [event.epoch for event in seen[seen.index(lost[0]) :] if isinstance(event, EpochReport)]
    assert min(later) > 1
    assert {(end.status, end.why) for end in result.ends.values()} == {("finished", None)}
    for name in result.ends:
        assert [line["epoch"] for line in read_run(tmp_path / name).metrics] == list(range(1, 9))
    assert [row["alpha"] for row in result.rows] == [0.1, 0.11]


def test_connect_when_no_machine_has_room_or_the_data_then_an_error_before_anything_is_trained(
    cluster: Any, tmp_path: Path
) -> None:
    with (
        pytest.raises(ConfigError, match=r"no machine of the cluster has.*'GPU': 1.*1 CPUs and 0 GPUs"),
        connect(cluster.address, "digits", gpus=1),
    ):
        pass
    with pytest.raises(DataError, match="no such data"), connect(cluster.address, str(tmp_path / "nowhere")):
        pass


def test_connect_when_what_listens_is_no_ray_then_device_error_within_seconds() -> None:
    def refuse(server: socket.socket) -> None:
        with server.accept()[0] as connection:
            connection.recv(64)
            connection.sendall(b"HTTP/1.1 400 Bad Request")

    with socket.create_server(("127.0.0.1", 0)) as server, ThreadPoolExecutor(1) as pool:
        pool.submit(refuse, server)
        address = f"127.0.0.1:{server.getsockname()[1]}"
        with pytest.raises(DeviceError, match="something else listens there"), connect(address, "digits"):
            pass


def test_fingerprint_when_a_file_is_another_or_missing_then_it_differs(tmp_path: Path) -> None:
    for name in ("first", "second"):
        (tmp_path / name / "cats").mkdir(parents=True)
        (tmp_path / name / "cats" / "1.png").write_bytes(b"pixels")
    prints = [fingerprint_data(str(tmp_path / name)) for name in ("first", "second")]
    assert prints[0] == prints[1]

    (tmp_path / "second" / "cats" / "1.png").write_bytes(b"more pixels")
    assert fingerprint_data(str(tmp_path / "second")) != prints[0]
    (tmp_path / "second" / "cats" / "1.png").unlink()
    with pytest.raises(DataError, match="no such data"):
        fingerprint_data(str(tmp_path / "second"))
