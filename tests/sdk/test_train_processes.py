"""One training in two processes that talk over gloo: as in one, and only the first writes and speaks."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from mobisdk.data import DecodedImages
from mobisdk.data.batches import Augmentation, HeldOutBatches, TrainingBatches
from mobisdk.errors import ConfigError
from mobisdk.specs import InputSpec
from mobisdk.training import read_run
from mobisdk.training.processes import Processes, find_processes, is_first

SCRIPT = """
import dataclasses, json, sys
from pathlib import Path
import torch
from mobisdk.data import decode_images, open_dataset
from mobisdk.data.view import choose_input
from mobisdk.data.batches import normalize
from mobisdk.layers import ConvNormAct, SeparableConv2d
from mobisdk.models.untrained import estimate_batch_norm_
from mobisdk.specs import ModelSpec
from mobisdk.training import TrainSpec
from mobisdk.training.fitting import fit
from mobisdk.training.plan import plan_training
from mobisdk.training.processes import find_processes, is_first

torch.set_num_threads(1)
folder = Path(sys.argv[1])
dataset = open_dataset("digits")
spec = TrainSpec(
    ModelSpec(alpha=0.1, resolution=32), epochs=1, batch_size=64, precision="float32", ema_decay=0.0, learning_rate=0.02
)
plan = plan_training(spec, dataset, choose_input(dataset, 32))
torch.manual_seed(0)
# A few layers, since many whose norms are frozen do not learn.
network = torch.nn.Sequential(
    ConvNormAct(3, 16, 3, stride=4), SeparableConv2d(16, 32, stride=2), torch.nn.Flatten(), torch.nn.Linear(512, 10)
)
images = [decode_images(split, plan.input, cache=folder) for split in (dataset.train, dataset.test)]
estimate_batch_norm_(network, normalize(torch.from_numpy(images[0].pixels[:256]), plan.input))
for module in network.modules():
    if isinstance(module, torch.nn.BatchNorm2d):
        module.eval()
        module.train = lambda mode=True, module=module: module  # its statistics stay frozen
means = []
metrics = fit(
    folder, plan, dataset.classes, *images, lambda now: now.epoch_done or means.append(now.loss), network=network,
    processes=find_processes(None, "cpu", plan.batch_size),
)
if is_first():
    losses = [mean * step - (means[step - 2] * (step - 1) if step > 1 else 0) for step, mean in enumerate(means, 1)]
    print(json.dumps({"losses": losses, "correct": metrics[-1]["correct"]}))
else:
    assert not means
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def train_in(processes: int, folder: Path) -> Any:
    """Run the script as torchrun does; what the first process printed."""
    folder.mkdir()
    shared = {
        **os.environ, "OMP_NUM_THREADS": "1", "TORCHELASTIC_RUN_ID": "test", "WORLD_SIZE": str(processes),
        "LOCAL_WORLD_SIZE": str(processes), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port()),
    }  # fmt: skip
    started = [
        subprocess.Popen(
            [sys.executable, "-W", "error::UserWarning:mobisdk", "-c", SCRIPT, str(folder)],
            env={**shared, "RANK": str(rank), "LOCAL_RANK": str(rank)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(processes)
    ]
    answers = [process.communicate(timeout=300) for process in started]
    assert [process.returncode for process in started] == [0] * processes, answers
    assert [stdout for stdout, _ in answers[1:]] == [""] * (processes - 1)
    return json.loads(answers[0][0])


def test_losses_of_two_processes_are_those_of_one_for_twenty_steps(tmp_path: Path) -> None:
    one, two = (train_in(processes, tmp_path / str(processes)) for processes in (1, 2))

    assert len(one["losses"]) == 22
    np.testing.assert_allclose(two["losses"][:20], one["losses"][:20], rtol=0, atol=1e-4)

    assert one["losses"][0] - one["losses"][19] > 0.3
    assert abs(two["correct"] - one["correct"]) <= 3


def test_train_with_two_devices_when_told_by_the_command_then_one_process_writes_and_speaks(tmp_path: Path) -> None:
    process = subprocess.run(
        [
            sys.executable, "-m", "mobisdk", "train", "--alpha", "0.1", "--stem-stride", "2", "--epochs", "2",
            "--batch-size", "256", "--name", "two", "--devices", "2", "--tensorboard", "--json",
        ],
        cwd=tmp_path, env={**os.environ, "OMP_NUM_THREADS": "1"}, capture_output=True, text=True, timeout=300,
    )  # fmt: skip

    assert process.returncode == 0, process.stderr
    assert json.loads(process.stdout)["tested"] == 359
    assert [line.split(":")[0] for line in process.stderr.splitlines() if line.startswith(("two", "Epoch"))] == [
        "two", "Epoch 1/2", "Epoch 2/2",
    ]  # fmt: skip
    assert "Warning" not in process.stderr
    run = read_run(tmp_path / "runs" / "two")
    assert [path.name for path in (tmp_path / "runs").iterdir()] == ["two"]
    logs = EventAccumulator(str(run.folder / "tensorboard")).Reload()
    for name in ("loss", "accuracy", "learning_rate"):
        written = [(event.step, event.value) for event in logs.Scalars(name)]
        assert written == [(line["step"], pytest.approx(line[name], rel=1e-6)) for line in run.metrics]


@pytest.mark.parametrize("everyone", [False, True], ids=["the first process", "both"])
def test_train_with_two_devices_when_told_to_terminate_then_both_leave_at_the_same_step_and_resume_goes_on(
    tmp_path: Path, *, everyone: bool
) -> None:
    command = [sys.executable, "-m", "mobisdk", "train"]
    short = ["--alpha", "0.1", "--stem-stride", "2", "--epochs", "4", "--batch-size", "128", "--name", "two"]
    surroundings = {**os.environ, "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(
        [*command, *short, "--devices", "2"], cwd=tmp_path, env=surroundings,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    assert process.stderr is not None
    lines = []
    for line in process.stderr:
        lines.append(line)
        if line.startswith("Epoch 1/4"):
            (os.killpg if everyone else os.kill)(process.pid, signal.SIGTERM)
            break
    try:
        _, rest = process.communicate(timeout=60)
    finally:
        with contextlib.suppress(ProcessLookupError):  # nothing is left of them
            os.killpg(process.pid, signal.SIGKILL)

    assert process.returncode == 143, [*lines, rest]
    folder = tmp_path / "runs" / "two"
    assert 1 <= len(read_run(folder).metrics) < 4
    assert read_run(folder).metrics[-1]["epoch"] == len(read_run(folder).metrics)

    resumed = subprocess.run(
        [*command, "--resume", "two", "--devices", "2"], cwd=tmp_path, env=surroundings, capture_output=True, text=True,
        timeout=120,
    )  # fmt: skip

    assert resumed.returncode == 0, resumed.stderr
    assert [line["epoch"] for line in read_run(folder).metrics] == [1, 2, 3, 4]


def make_images(count: int) -> DecodedImages:
    pixels = np.random.default_rng(0).integers(0, 256, (count, 8, 8, 3), np.uint8)
    return DecodedImages(pixels, np.arange(count), tuple(map(str, range(count))), ())


def test_parts_of_every_batch_are_together_what_one_process_sees_and_no_image_comes_twice() -> None:
    def batches(part: slice) -> list[Any]:
        return list(
            TrainingBatches(
                make_images(23), InputSpec(8, 8), Augmentation(2, True), batch_size=6, seed=1, epoch=2, part=part
            )
        )

    whole = batches(slice(None))
    parts = [batches(Processes(rank, 3, 3).part) for rank in range(3)]

    assert [len(each) for each in parts] == [3, 3, 3]
    for step, batch in enumerate(whole):
        for rank in range(3):
            assert torch.equal(parts[rank][step].images, batch.images[rank::3])
            assert torch.equal(parts[rank][step].indices, batch.indices[rank::3])
    seen = torch.cat([batch.indices for each in parts for batch in each]).tolist()
    assert len(seen) == len(set(seen)) == 18
    held_out = [
        index
        for rank in range(3)
        for batch in HeldOutBatches(make_images(10), InputSpec(8, 8), batch_size=2, part=slice(rank, None, 3))
        for index in batch.indices.tolist()
    ]
    assert sorted(held_out) == list(range(10))


def test_processes_when_there_are_fewer_devices_or_the_batch_is_odd_then_config_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with pytest.raises(ConfigError, match="there are not so many devices here, got 9999"):
        find_processes(9999, "cpu", 9999)
    with pytest.raises(ConfigError, match="allowed: 1 to 0 GPUs"):
        find_processes(1, "cuda", 64)
    monkeypatch.setattr("mobisdk.training.processes.count_cores", lambda: 4)
    with pytest.raises(ConfigError, match=r"shared out evenly, got 33; allowed: a multiple of 4.*--batch-size 36"):
        find_processes(4, "cpu", 33)
    assert find_processes(None, "cpu", 33) == Processes()
    assert is_first()

    elastic = {"TORCHELASTIC_RUN_ID": "x", "RANK": "5", "WORLD_SIZE": "8", "LOCAL_WORLD_SIZE": "4", "LOCAL_RANK": "1"}
    for name, value in elastic.items():
        monkeypatch.setenv(name, value)
    assert find_processes(None, "cpu", 64) == Processes(5, 8, 4)
    assert not is_first()
    with pytest.raises(ConfigError, match="--devices is not what torchrun started, got 2"):
        find_processes(2, "cpu", 64)


def test_train_when_the_port_is_in_use_then_one_line_that_names_it(tmp_path: Path) -> None:
    with socket.create_server(("", 0)) as taken:
        port = taken.getsockname()[1]
        process = subprocess.run(
            [sys.executable, "-m", "mobisdk", "train", "--alpha", "0.1", "--devices", "2"],
            cwd=tmp_path, env={**os.environ, "MASTER_PORT": str(port)}, capture_output=True, text=True, timeout=120,
        )  # fmt: skip

    assert process.returncode == 1
    last = process.stderr.splitlines()[-1]
    assert last.startswith("Error: the port for the training's processes cannot be used")
    assert f"got '{port}'" in last
