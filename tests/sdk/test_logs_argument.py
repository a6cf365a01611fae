"""LOGS may name files, folders and lab servers' stores."""

import dataclasses
import json
import uuid
from pathlib import Path

import pytest
from tests.sdk.test_choose import ACCURACY, fill
from typer.testing import CliRunner

from mobisdk.cli.app import app
from mobisdk.cli.logs_argument import read_runs
from mobisdk.errors import ConfigError
from mobisdk.latency.log import append_run, parse_run, to_json_line
from mobisdk.latency.record import LatencyRun
from mobisdk.server.store.engine import open_store
from mobisdk.server.store.incoming import read_line
from mobisdk.server.store.writer import RunWriter

RUN = parse_run((Path(__file__).parents[1] / "contract/latency/good.jsonl").read_bytes().splitlines()[0])


def new_run() -> LatencyRun:
    return dataclasses.replace(RUN, run_id=str(uuid.uuid4()))


def fill_store(path: Path, *runs: LatencyRun) -> None:
    store = open_store(str(path))
    writer = RunWriter(store)
    incoming = [read_line(number, to_json_line(run).encode()) for number, run in enumerate(runs, start=1)]
    assert writer.submit("test", incoming).result().accepted == len(runs)
    writer.close()
    store.close()


def test_store_and_file_when_read_together_give_each_run_once(tmp_path: Path) -> None:
    first, second, third = new_run(), new_run(), new_run()
    fill_store(tmp_path / "lab.db", first, second)
    append_run(tmp_path / "runs.jsonl", second)
    append_run(tmp_path / "runs.jsonl", third)
    found = read_runs([str(tmp_path / "lab.db"), str(tmp_path / "runs.jsonl")])
    assert {run.run_id for run in found.runs} == {first.run_id, second.run_id, third.run_id}
    assert (found.duplicates, len(found.files), found.set_aside) == (1, 2, ())
    assert read_runs([f"sqlite:///{tmp_path / 'lab.db'}"]).runs[0].run_id == first.run_id


def test_store_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no store here"):
        read_runs([f"sqlite:///{tmp_path / 'lab.db'}"])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("command", "options"),
    [
        ("choose", ["--max-latency-ms", "3", "--accuracy", "accuracy.csv", "--logs"]),
        ("predict", ["--alpha", "0.6", "--resolution", "176", "--logs"]),
        ("compare", ["latency.jsonl"]),
    ],
)
def test_every_command_answers_from_a_store_as_from_its_log(
    command: str, options: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("accuracy.csv").write_text(ACCURACY)
    fill(Path("latency.jsonl"))
    fill_store(Path("lab.db"), *read_runs(["latency.jsonl"]).runs)
    device = [] if command == "compare" else ["--device", RUN.device.model]

    answers = [
        CliRunner().invoke(app, [command, *device, *options, source, "--json"], catch_exceptions=False).stdout
        for source in ("latency.jsonl", "lab.db")
    ]

    assert json.loads(answers[0])
    assert answers[1].replace("lab.db", "latency.jsonl") == answers[0]
