import dataclasses
from pathlib import Path

import pytest

from mobisdk.errors import DataError
from mobisdk.latency.log import LONGEST_LINE_BYTES, append_run, parse_run, to_json_line
from mobisdk.latency.store import read_logs

RUN = parse_run((Path(__file__).parents[1] / "contract/latency/good.jsonl").read_bytes().splitlines()[0])
LINE = to_json_line(RUN).encode()
OTHER = to_json_line(dataclasses.replace(RUN, run_id="00000000-0000-4000-8000-0000000000ff")).encode()


def test_files_and_folders_when_read_together_give_every_run_once(tmp_path: Path) -> None:
    deep = tmp_path / "phones" / "pixel"
    deep.mkdir(parents=True)
    (deep / "a.jsonl").write_bytes(LINE + b"\n")
    (tmp_path / "phones" / "b.jsonl").write_bytes(OTHER + b"\n")
    (tmp_path / "phones" / "notes.txt").write_text("not a log")
    logs = read_logs([tmp_path / "phones", deep / "a.jsonl", tmp_path / "phones" / "pixel" / ".." / "b.jsonl"])
    assert len(logs.files) == 2
    assert len(logs.runs) == 2
    assert logs.duplicates == 0
    assert logs.set_aside == ()


def test_file_of_any_name_when_named_is_read(tmp_path: Path) -> None:
    (tmp_path / "runs.log").write_bytes(LINE)
    assert len(read_logs([tmp_path / "runs.log"]).runs) == 1


def test_spoilt_lines_when_read_are_set_aside_with_file_line_and_reason(tmp_path: Path) -> None:
    log = tmp_path / "runs.jsonl"
    log.write_bytes(
        b"\n".join([LINE, b"", LINE[:200], b"\xff\xfe", b"\0\0\0", LINE.replace(b"latency/1", b"latency/9"), OTHER])
        + b"\n"
    )
    logs = read_logs([log])
    assert len(logs.runs) == 2
    assert [(aside.file, aside.line) for aside in logs.set_aside] == [(log, 3), (log, 4), (log, 5), (log, 6)]
    reasons = [aside.reason for aside in logs.set_aside]
    assert reasons[0].startswith("the line is not JSON: Unterminated string")
    assert reasons[1].startswith("the line is not UTF-8")
    assert reasons[2].startswith("the line is not JSON")
    assert reasons[3].startswith("the line is of another schema")


def test_line_past_the_limit_when_read_is_set_aside_and_the_next_is_read(tmp_path: Path) -> None:
    log = tmp_path / "runs.jsonl"
    log.write_bytes(LINE + b"\n" + b'"' + b"x" * (LONGEST_LINE_BYTES + 5_000_000) + b'"\n' + OTHER + b"\n")
    logs = read_logs([log])
    assert len(logs.runs) == 2
    assert [(aside.line, "too long" in aside.reason) for aside in logs.set_aside] == [(2, True)]


def test_last_line_without_its_end_when_whole_is_a_run(tmp_path: Path) -> None:
    (tmp_path / "runs.jsonl").write_bytes(LINE + b"\r\n" + OTHER)
    assert len(read_logs([tmp_path]).runs) == 2


def test_copy_of_a_run_when_read_again_is_counted_and_not_doubled(tmp_path: Path) -> None:
    append_run(tmp_path / "a.jsonl", RUN)
    append_run(tmp_path / "b.jsonl", dataclasses.replace(RUN))
    shuffled = LINE.replace(b'"notes":null,', b"").replace(b'{"app"', b'{"notes": null, "app"')
    (tmp_path / "c.jsonl").write_bytes(shuffled)
    logs = read_logs([tmp_path])
    assert len(logs.runs) == 1
    assert logs.duplicates == 2
    assert logs.set_aside == ()


def test_other_run_of_the_same_id_when_read_is_set_aside(tmp_path: Path) -> None:
    append_run(tmp_path / "a.jsonl", RUN)
    append_run(tmp_path / "b.jsonl", dataclasses.replace(RUN, run_index=7, run_id=RUN.run_id.upper()))
    logs = read_logs([tmp_path])
    assert [run.run_index for run in logs.runs] == [0]
    assert [(aside.file.name, "another run's already" in aside.reason) for aside in logs.set_aside] == [
        ("b.jsonl", True)
    ]


def test_empty_file_when_read_holds_nothing(tmp_path: Path) -> None:
    (tmp_path / "empty.jsonl").touch()
    logs = read_logs([tmp_path])
    assert (len(logs.files), logs.runs, logs.set_aside) == (1, (), ())


def test_path_that_does_not_exist_when_read_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no such log, got .*missing\.jsonl"):
        read_logs([tmp_path / "missing.jsonl"])


def test_folder_without_a_log_when_read_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("not a log")
    with pytest.raises(DataError, match="the folder holds no log"):
        read_logs([tmp_path])


def test_device_name_of_ten_thousand_characters_is_set_aside_with_its_reason(tmp_path: Path) -> None:
    named = LINE.replace(b'"Pixel 8"', b'"' + b"x" * 10_000 + b'"')
    (tmp_path / "runs.jsonl").write_bytes(b"\n".join([named, LINE]) + b"\n")
    logs = read_logs([tmp_path])
    assert len(logs.runs) == 1
    (aside,) = logs.set_aside
    assert (aside.line, aside.reason.startswith("device.model is wrong")) == (1, True)
