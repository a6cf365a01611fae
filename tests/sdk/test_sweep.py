"""Sweeps: the driver with trials that only pretend, the pool with real ones, and what a person sees."""

import dataclasses
import json
import multiprocessing
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from mobisdk.cli import console
from mobisdk.cli.app import app
from mobisdk.cost import count_spec_cost
from mobisdk.errors import ConfigError, DataError
from mobisdk.latency.known_accuracy import read_accuracy_table
from mobisdk.specs import ModelSpec
from mobisdk.training import TrainSpec, list_runs, read_run
from mobisdk.training.sweep import LocalPool, SweepProgress, SweepSpec, Trial, resume_sweep, sweep
from mobisdk.training.sweep.hopeless import Judge
from mobisdk.training.sweep.trial import EpochReport, KeepOn, TrialEnd, TrialEvent, TrialLost, run_trial

# Networks for the digits that take a second an epoch.
SHORT = TrainSpec(ModelSpec(stem_stride=2), epochs=2, batch_size=256)
GRID = SweepSpec(("mobilenet_v1",), (0.1, 0.15), (32,), SHORT)
NARROW, WIDE = "sweep-digits-mobilenet_v1-a0.1-r32", "sweep-digits-mobilenet_v1-a0.15-r32"


class InThisProcess:
    """Trains one trial after the other; what `broken` names fails before it begins."""

    def __init__(self, *broken: str) -> None:
        self.broken = broken
        self.seen: list[str] = []

    def train(self, trials: Sequence[Trial], runs: Path, keep_on: KeepOn) -> Iterator[TrialEvent]:
        for trial in trials:
            self.seen.append(trial.name)
            if trial.name in self.broken:
                yield TrialEnd(trial.name, "failed", "its disk is full")
                continue
            reports: list[EpochReport] = []

            def watch(report: EpochReport, reports: list[EpochReport] = reports) -> bool:
                reports.append(report)
                return keep_on(report)

            end = run_trial(trial, runs, watch)
            yield from reports
            yield end


def run(*arguments: object) -> Any:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_sweep_when_a_trial_fails_then_the_others_are_in_a_table_that_choose_reads_and_resume_trains_what_is_left(
    tmp_path: Path,
) -> None:
    seen: list[SweepProgress] = []
    executor = InThisProcess(NARROW)

    result = sweep(GRID, executor, runs=tmp_path, on_progress=seen.append)

    assert executor.seen == [WIDE, NARROW]  # the longest first
    assert {name: end.status for name, end in result.ends.items()} == {WIDE: "finished", NARROW: "failed"}
    assert [row["alpha"] for row in result.rows] == [0.15]
    assert seen[0].event is None
    assert seen[0].seconds_left is None
    assert (seen[-1].done, seen[-1].trials, seen[-1].share, seen[-1].seconds_left) == (2, 2, 1.0, 0.0)

    again = InThisProcess()
    resumed = resume_sweep(tmp_path / "sweep-digits", again)

    assert again.seen == [NARROW]
    known = read_accuracy_table(resumed.table)
    runs = {each.plan.model.alpha: each for each in list_runs(tmp_path)}
    assert {each.spec.alpha: each.share for each in known} == {
        alpha: run.metrics[-1]["accuracy"] for alpha, run in runs.items()
    }
    cost = count_spec_cost(ModelSpec(alpha=0.1, resolution=32, num_classes=10))
    assert (resumed.rows[0]["params"], resumed.rows[0]["macs"]) == (cost.params, cost.macs)

    nothing_left = InThisProcess()
    assert resume_sweep(tmp_path / "sweep-digits", nothing_left).rows == resumed.rows
    assert nothing_left.seen == []


def test_resume_when_the_sweep_is_damaged_or_its_data_has_changed_then_data_error(tmp_path: Path) -> None:
    sweep(GRID, InThisProcess(NARROW, WIDE), runs=tmp_path)
    path = tmp_path / "sweep-digits" / "sweep.json"
    document = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**document, "data": {"sha256": "ab"}}), encoding="utf-8")
    with pytest.raises(DataError, match="data has changed"):
        resume_sweep(path.parent, InThisProcess())

    del document["spec"]["train"]
    path.write_text(json.dumps(document), encoding="utf-8")
    with pytest.raises(DataError, match="the sweep is damaged"):
        resume_sweep(path.parent, InThisProcess())
    with pytest.raises(DataError, match="no such sweep"):
        resume_sweep(tmp_path / "other", InThisProcess())


def test_spec_when_a_value_is_listed_twice_or_none_is_then_it_counts_once_or_is_refused() -> None:
    assert len(dataclasses.replace(GRID, alphas=(0.1, 0.1, 0.2)).models) == 2
    with pytest.raises(ConfigError, match="alphas of a sweep are missing"):
        dataclasses.replace(GRID, alphas=())
    with pytest.raises(ConfigError, match="alpha"):
        dataclasses.replace(GRID, alphas=(3.0,))
    with pytest.raises(ConfigError, match="grid is too large"):
        dataclasses.replace(GRID, resolutions=tuple(range(32, 600)))


def trial_of(name: str, macs: int) -> Trial:
    return Trial(name, SHORT, params=1, macs=macs)


def judge_all(judge: Judge, epoch: int, **accuracies: float) -> dict[str, bool]:
    return {name: judge.keep_on(EpochReport(name, epoch, 8, share, 1.0)) for name, share in accuracies.items()}


def test_judge_when_a_cheaper_network_is_better_then_the_dearer_one_is_hopeless_and_never_the_cheapest() -> None:
    judge = Judge([trial_of("small", 1), trial_of("middle", 2), trial_of("large", 3)])

    assert all(judge_all(judge, 1, small=0.9, middle=0.1, large=0.1).values())  # nobody is judged after one epoch
    # ASHA keeps the better half: of 0.5, 0.4 and 0.7 it would stop the middle one, for which the small one stands in.
    assert judge_all(judge, 2, small=0.5, middle=0.4, large=0.7) == {"small": True, "middle": False, "large": True}
    # It would stop the small one too, of which no network is cheaper.
    assert judge_all(judge, 4, large=0.8, small=0.6) == {"large": True, "small": True}
    # A trial that is begun again does not meet its own earlier figures.
    assert judge_all(judge, 2, middle=0.1) == {"middle": True}


def test_run_trial_when_it_is_hopeless_then_it_stops_with_whole_files_and_counts_as_stopped(tmp_path: Path) -> None:
    trial = Trial(
        "hopeless", dataclasses.replace(SHORT, model=ModelSpec(alpha=0.1, resolution=32, stem_stride=2)), 1, 1
    )

    end = run_trial(trial, tmp_path, lambda report: report.epoch > 1)

    assert end == TrialEnd("hopeless", "stopped")
    assert len(read_run(tmp_path / "hopeless").metrics) == 1


def test_pool_when_a_process_is_killed_and_ctrl_c_is_pressed_then_runs_are_whole_and_resume_ends_them(
    tmp_path: Path,
) -> None:
    seen: list[TrialEvent | None] = []

    def kill_then_interrupt(now: SweepProgress) -> None:
        seen.append(now.event)
        if sum(isinstance(event, EpochReport) for event in seen) == 1 and isinstance(now.event, EpochReport):
            multiprocessing.active_children()[0].kill()
        if isinstance(now.event, TrialEnd):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        sweep(GRID, LocalPool(1), runs=tmp_path, on_progress=kill_then_interrupt)

    assert not multiprocessing.active_children()
    lost = [event for event in seen if isinstance(event, TrialLost)]
    assert [(event.trial, "killed" in event.why) for event in lost] == [(WIDE, True)]
    assert [line["epoch"] for line in read_run(tmp_path / WIDE).metrics] == [1, 2]

    executor = InThisProcess()
    resumed = resume_sweep(tmp_path / "sweep-digits", executor)

    assert executor.seen == [NARROW]
    assert len(resumed.rows) == 2


def test_command_when_two_processes_train_then_one_table_and_one_document(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    console.stderr.cache_clear()  # the one of an earlier test writes elsewhere
    grid = ("--alpha", "0.1,0.15", "--stem-stride", 2, "--epochs", 1, "--batch-size", 256, "--runs", tmp_path)

    result = run("sweep", *grid, "--preset", "paper", "--json")

    assert result.exit_code == 0, result.stderr
    document = json.loads(result.stdout)
    assert [row["alpha"] for row in document["rows"]] == [0.1, 0.15]
    assert {end["status"] for end in document["trials"]} == {"finished"}
    assert {each.plan.optimizer for each in list_runs(tmp_path)} == {"rmsprop"}
    told = capfd.readouterr().err
    assert "2 trainings, 0 of them done already." in told
    assert f"2/2 {NARROW}: finished" in told or f"2/2 {WIDE}: finished" in told
    assert result.stderr.splitlines()[-1].endswith(f"--accuracy {document['table']}")

    shown = run("sweep", "--resume", "sweep-digits", "--runs", tmp_path)

    assert shown.exit_code == 0, shown.stderr
    assert "mobilenet_v1 0.15 at 32" in shown.stdout
    assert shown.stdout.splitlines()[-1] == document["table"]
    assert "2 trainings, 2 of them done already." in capfd.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--alpha", "0.5,x"], "alpha must be a number"),
        (["--alpha", "3"], "alpha must be a number"),
        (["--preset", "slow"], "preset is unknown, got 'slow'; allowed: fast, paper, strong"),
        (["--arch", "mobilenet_v9"], "mobilenet_v9"),
        (["--data", "nowhere"], "no such data"),
        (["--data", "s3://bucket/photos", "--ray", "auto"], "from a disk, not from a URL, got 's3://bucket/photos'"),
        (["--processes", "9999"], "a process needs a core"),
        (["--resume", "nothing"], "no such sweep"),
        (["--resume", "nothing", "--alpha", "0.5", "--stop-hopeless"], "alpha', 'stop_hopeless"),
        (["--gpus-per-trial", "1"], "--ray"),
        (["--ray", "auto", "--processes", "1"], "--cpus-per-trial"),
        (["--ray", "auto", "--cpus-per-trial", "-1"], "0 to 1024"),
        (["--ray", "ray://localhost:10001"], "Ray Client"),
        (["--ray", "localhost"], "the address of a Ray cluster is wrong"),
        (["--ray", "127.0.0.1:1"], "no Ray cluster answers (Connection refused)"),
    ],
)
def test_command_when_an_option_is_wrong_then_one_line_and_nothing_written(
    tmp_path: Path, arguments: list[str], complaint: str
) -> None:
    result = run("sweep", *arguments, "--runs", tmp_path / "runs")

    assert result.exit_code == 1
    assert result.stdout == ""
    assert complaint in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert not (tmp_path / "runs").exists()
