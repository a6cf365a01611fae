"""kill -9 at any moment, then resume, and again: the weights of an uninterrupted run, bit for bit on one thread.

A child counts Python's calls and kills itself at one of them, so that the moments are any, and the same every time.
"""

import multiprocessing
import os
import signal
import sys
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import mobisdk.files
import mobisdk.training.fitting  # the server that children are forked from has imported it
from mobisdk.specs import ModelSpec
from mobisdk.training import TrainSpec, read_run, recorder, resume, train
from mobisdk.training.runs import CHECKPOINT

FEWEST_KILLS, KILLS = 3, 6


def train_on(greys: Path, runs: Path, moment: int, *, writing: bool, told: Connection) -> None:
    """In a child: train, or go on; die at call number `moment`, of all or of those that write files."""
    calls = 0

    def count(frame: Any, event: str, _: object) -> None:
        nonlocal calls
        if event in ("call", "c_call") and (not writing or frame.f_code.co_filename == mobisdk.files.__file__):
            calls += 1
            if calls == moment:
                os.kill(os.getpid(), signal.SIGKILL)

    torch.set_num_threads(1)
    if writing:
        recorder._SECONDS_UNSAVED = 0  # the state of every step is written, not of every ten minutes
    sys.setprofile(count)
    folder = runs / "greys"
    if folder.exists():
        if not read_run(folder).is_finished:  # it may have been killed behind its last epoch
            resume(folder)
    else:
        spec = TrainSpec(
            ModelSpec(alpha=0.1, resolution=32, num_classes=2),
            data=str(greys),
            epochs=3,
            batch_size=8,
            ema_decay=0.9,
            learning_rate=0.02,
        )
        train(spec, runs=runs, name="greys")
    sys.setprofile(None)
    told.send((calls, (folder / CHECKPOINT).read_bytes()))


def run_child(greys: Path, runs: Path, moment: int, *, writing: bool) -> tuple[int, bytes] | None:
    """How many calls there were and what was trained; None from one that was killed."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    hears, told = context.Pipe(duplex=False)
    child = context.Process(target=train_on, args=(greys, runs, moment), kwargs={"writing": writing, "told": told})
    child.start()
    told.close()
    try:
        answer: tuple[int, bytes] = hears.recv()
    except EOFError:
        child.join()
        assert child.exitcode == -signal.SIGKILL
        return None
    child.join()
    assert child.exitcode == 0
    return answer


@pytest.mark.parametrize("writing", [False, True], ids=["anywhere", "while files are written"])
def test_resume_when_killed_again_and_again_then_the_weights_are_those_of_an_uninterrupted_run(
    greys: Path, tmp_path: Path, *, writing: bool
) -> None:
    whole = run_child(greys, tmp_path / "whole", 0, writing=writing)
    assert whole is not None
    calls, weights = whole
    generator = np.random.default_rng(0)
    killed, ended = 0, None

    while ended is None:
        moment = int(generator.uniform(0.1, 0.6) * calls) if killed < KILLS else 0
        ended = run_child(greys, tmp_path / "killed", moment, writing=writing)
        killed += ended is None

    assert killed >= FEWEST_KILLS  # what is done stays done, so that later moments may not come
    assert ended[1] == weights
    files = {path.name for path in (tmp_path / "killed" / "greys").iterdir()}
    assert files == {"spec.json", "metrics.jsonl", "last.safetensors", "state.safetensors"}  # and no half of one
