import dataclasses
import errno
import json
import math
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import jsonschema
import pytest

from mobisdk.errors import DataError
from mobisdk.latency import record
from mobisdk.latency.log import LONGEST_LINE_BYTES, append_run, parse_run, to_json_line
from mobisdk.latency.record import durations
from mobisdk.latency.store import read_logs

GOOD = Path(__file__).parents[1] / "contract/latency/good.jsonl"
RUN = parse_run(GOOD.read_bytes().splitlines()[0])


def test_line_when_written_is_valid_for_another_validator() -> None:
    schema = json.loads(Path(record.__file__).with_name("latency_run.schema.json").read_bytes())
    line = to_json_line(RUN)
    jsonschema.Draft202012Validator(schema).validate(json.loads(line))
    assert line.isascii()
    assert "\n" not in line


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"inference_ns": durations([])}, "inference_ns"),
        ({"inference_ns": durations([1, -1, 1])}, "inference_ns[1]"),
        ({"sample_at_ns": durations([0, 9, 5])}, "sample_at_ns"),
        ({"sample_at_ns": durations([0])}, "sample_at_ns"),
        ({"preprocess_ns": durations([1])}, "preprocess_ns"),
        ({"run_id": "1"}, "run_id"),
        ({"started_at": "yesterday"}, "started_at"),
        ({"mode": "production"}, "started_at"),
        ({"golden": None}, "golden"),
    ],
)
def test_run_that_breaks_the_contract_when_written_is_refused_and_the_log_stays(
    tmp_path: Path, changes: dict[str, object], field: str
) -> None:
    log = tmp_path / "runs.jsonl"
    append_run(log, RUN)
    before = log.read_bytes()
    with pytest.raises(DataError, match="is wrong") as caught:
        append_run(log, dataclasses.replace(RUN, **changes))
    assert str(caught.value).startswith(field)
    assert log.read_bytes() == before


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_number_that_is_not_finite_when_written_is_refused(value: float) -> None:
    conditions = dataclasses.replace(RUN.conditions, battery_celsius=value)
    with pytest.raises(DataError):
        to_json_line(dataclasses.replace(RUN, conditions=conditions))


def test_line_past_the_limit_when_parsed_is_refused() -> None:
    with pytest.raises(DataError, match="too long"):
        parse_run(to_json_line(RUN) + " " * LONGEST_LINE_BYTES)


@pytest.mark.parametrize("levels", [200, 256, 400, 900, 5000])
def test_value_nested_deeply_when_parsed_is_refused(levels: int) -> None:
    nested = "[" * levels + "]" * levels
    with pytest.raises(DataError):
        parse_run(to_json_line(RUN).replace('"notes":null', f'"notes":{nested}'))


def test_error_when_a_key_is_hostile_shows_it_quoted_and_short() -> None:
    key = "\x1b[31m" + "k" * 1000
    line = to_json_line(RUN).replace('"notes":null', f'"notes":null,{json.dumps(key)}:NaN')
    with pytest.raises(DataError) as caught:
        parse_run(line)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 400


def test_runs_when_appended_are_a_line_each(tmp_path: Path) -> None:
    log = tmp_path / "runs.jsonl"
    for index in range(3):
        append_run(log, dataclasses.replace(RUN, run_id=f"00000000-0000-4000-8000-00000000000{index}", run_index=index))
    lines = log.read_bytes().splitlines(keepends=True)
    assert [parse_run(line).run_index for line in lines] == [0, 1, 2]
    assert all(line.endswith(b"\n") for line in lines)


def test_log_that_ends_in_the_middle_of_a_line_when_appended_to_keeps_the_new_run_whole(tmp_path: Path) -> None:
    log = tmp_path / "runs.jsonl"
    log.write_bytes(to_json_line(RUN).encode()[:300])
    append_run(log, RUN)
    logs = read_logs([log])
    assert [run.run_id for run in logs.runs] == [RUN.run_id]
    assert [aside.line for aside in logs.set_aside] == [1]


def test_append_when_the_disk_is_full_leaves_the_log_as_it_was(tmp_path: Path) -> None:
    log = tmp_path / "runs.jsonl"
    append_run(log, RUN)
    before = log.read_bytes()
    program = f"""
        import resource, signal, sys
        from pathlib import Path
        from mobisdk.latency.log import append_run, parse_run
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        run = parse_run(Path({str(log)!r}).read_bytes())
        resource.setrlimit(resource.RLIMIT_FSIZE, ({len(before) + 100},) * 2)
        try:
            append_run(Path({str(log)!r}), run)
        except OSError as error:
            sys.exit(error.errno)
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(program)], check=False)
    assert done.returncode == errno.EFBIG
    assert log.read_bytes() == before


def test_process_that_is_killed_while_it_appends_loses_at_most_its_last_line(tmp_path: Path) -> None:
    log = tmp_path / "runs.jsonl"
    program = f"""
        import dataclasses, uuid
        from pathlib import Path
        from mobisdk.latency.log import append_run, parse_run
        run = parse_run(Path({str(GOOD)!r}).read_bytes().splitlines()[0])
        while True:
            append_run(Path({str(log)!r}), dataclasses.replace(run, run_id=str(uuid.uuid4())))
            print("one", flush=True)
    """
    with subprocess.Popen([sys.executable, "-c", textwrap.dedent(program)], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        for _ in range(5):
            process.stdout.readline()
        os.kill(process.pid, signal.SIGKILL)
    append_run(log, RUN)
    logs = read_logs([log])
    assert len(logs.runs) >= 6
    assert len(logs.set_aside) <= 1
