"""The golden lines of contract 2, as Python reads them. `expected.json` says what Kotlin and Swift must find too."""

import json
import runpy
from pathlib import Path

import pytest

from mobisdk.errors import DataError
from mobisdk.latency.log import parse_run, to_json_line
from mobisdk.latency.store import read_logs

FOLDER = Path(__file__).parent
EXPECTED = json.loads((FOLDER / "expected.json").read_bytes())


def lines(name: str) -> list[bytes]:
    return (FOLDER / name).read_bytes().split(b"\n")[:-1]


def cases(name: str) -> list[object]:
    return [pytest.param(case, line, id=case["what"]) for case, line in zip(EXPECTED[name], lines(name), strict=True)]


def test_files_are_what_the_script_makes() -> None:
    for name, content in runpy.run_path(str(FOLDER / "make_lines.py"))["make_files"]().items():
        assert (FOLDER / name).read_bytes() == content, name


@pytest.mark.parametrize(("case", "line"), cases("good.jsonl"))
def test_good_line_when_parsed_and_written_again_says_the_same(case: dict[str, object], line: bytes) -> None:
    run = parse_run(line)
    again = to_json_line(run)
    written, original = json.loads(again), json.loads(line)
    assert to_json_line(parse_run(again)) == again
    assert run.inference_ns.tolist() == original["inference_ns"]
    original.setdefault("per_op", [])
    original["device"].pop("fold_state", None)  # unknown keys are allowed, and not kept
    assert written == {key: value for key, value in original.items() if key != "later"}


@pytest.mark.parametrize(("case", "line"), cases("bad.jsonl"))
def test_bad_line_when_parsed_is_refused_by_field(case: dict[str, object], line: bytes) -> None:
    with pytest.raises(DataError) as caught:
        parse_run(line)
    if case["field"] == "schema":
        assert "of another schema, got 'mobisdk.latency/2'; allowed: mobisdk.latency/1" in str(caught.value)
    elif case["field"] is not None:
        assert str(caught.value).startswith(f"{case['field']} is wrong")
    assert "\n" not in str(caught.value)


def test_folder_when_read_as_logs_sets_every_bad_line_aside_by_its_number() -> None:
    logs = read_logs([FOLDER])
    assert len(logs.runs) == len(EXPECTED["good.jsonl"])
    assert [(aside.file.name, aside.line) for aside in logs.set_aside] == [
        ("bad.jsonl", case["line"]) for case in EXPECTED["bad.jsonl"]
    ]
