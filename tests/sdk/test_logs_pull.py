"""`logs pull` against fake-adb and fake-devicectl: shell scripts that stand where the phone would be."""

import dataclasses
import json
import os
import uuid
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from mobisdk.cli.app import app
from mobisdk.latency.log import append_run, parse_run

RUN = parse_run((Path(__file__).parents[1] / "contract/latency/good.jsonl").read_bytes().splitlines()[0])

FAKE_ADB = """#!/bin/sh
# fake-adb: a phone that is a folder.
case "$1" in
  devices) printf 'List of devices attached\\n'; cat "$FAKE_PHONE/devices";;
  -s) [ "$3" = pull ] && cp "$FAKE_PHONE/$2$4" "$5" || { echo "adb: error: failed to stat" >&2; exit 1; };;
esac
"""
FAKE_XCRUN = """#!/bin/sh
# fake-devicectl: an iPhone that is a folder.
[ "$1" = devicectl ] || exit 64
case "$2 $3" in
  "list devices") cp "$FAKE_PHONE/devices.json" "$5";;
  "device copy")
    [ "$4 $5 $7 $8" = "from --device --domain-type appDataContainer" ] || exit 64
    [ "$9 ${11} ${13}" = "--domain-identifier --source --destination" ] || exit 64
    cp "$FAKE_PHONE/$6/${10}/${12}" "${14}";;
esac
"""
ANDROID_LOG = "sdcard/Android/data/dev.mobisdk.app/files/latency.jsonl"


@pytest.fixture
def phone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    programs = tmp_path / "programs"
    programs.mkdir()
    for name, script in (("adb", FAKE_ADB), ("xcrun", FAKE_XCRUN)):
        (programs / name).write_text(script)
        (programs / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("FAKE_PHONE", str(tmp_path / "phone"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "phone").mkdir()
    connect(tmp_path / "phone", "A1\tdevice\n", {"I1": "connected"})
    return tmp_path / "phone"


def connect(phone: Path, android: str, ios: dict[str, str]) -> None:
    (phone / "devices").write_text(android)
    devices = [{"identifier": name, "connectionProperties": {"tunnelState": state}} for name, state in ios.items()]
    (phone / "devices.json").write_text(json.dumps({"result": {"devices": devices}}))


def add_run(log: Path) -> None:
    log.parent.mkdir(parents=True, exist_ok=True)
    append_run(log, dataclasses.replace(RUN, run_id=str(uuid.uuid4())))


def pull(*arguments: str) -> Any:
    return CliRunner().invoke(app, ["logs", "pull", *arguments])


@pytest.mark.parametrize(
    ("option", "log"),
    [("--android", f"A1/{ANDROID_LOG}"), ("--ios", "I1/dev.mobisdk.MobiBench/Documents/latency.jsonl")],
)
def test_log_when_pulled_twice_says_what_was_new_each_time(phone: Path, option: str, log: str) -> None:
    add_run(phone / log)
    add_run(phone / log)
    with (phone / log).open("a") as file:
        file.write("half a li\n")
    first = json.loads(pull(option, "--json").stdout)
    assert (first["new"], first["known"], first["refused"]) == (2, 0, [])
    assert [line["line"] for line in first["set_aside"]] == [3]
    add_run(phone / log)
    second = pull(option)
    assert second.exit_code == 0
    assert "1 new runs, 2 known already, in sqlite:///lab/runs.db" in second.stderr
    analyzed = CliRunner().invoke(app, ["analyze", "lab/runs.db", "--json"])
    assert json.loads(analyzed.stdout)["runs"] == 3


@pytest.mark.parametrize(
    ("android", "ios", "told"),
    [
        ("", {}, "no phone is ready"),
        ("A1\tdevice\nA2\tdevice\n", {"I1": "connected", "I2": "connected"}, "several phones are ready"),
        ("A1\toffline\n", {"I1": "unavailable"}, "no phone is ready"),
    ],
)
def test_phones_that_are_not_one_are_an_error_that_says_so(
    phone: Path, android: str, ios: dict[str, str], told: str
) -> None:
    connect(phone, android, ios)
    for option in ("--android", "--ios"):
        done = pull(option)
        assert done.exit_code == 1
        assert told in done.stderr


def test_phone_that_has_not_accepted_this_computer_is_named(phone: Path) -> None:
    connect(phone, "A1\tunauthorized\n", {})
    assert "has not accepted this computer" in pull("--android").stderr


def test_phone_without_a_log_is_an_error_and_makes_no_store(phone: Path) -> None:
    for option in ("--android", "--ios"):
        done = pull(option)
        assert done.exit_code == 1
        assert "cannot be copied" in done.stderr
    assert not Path("lab").exists()


def test_one_of_several_phones_is_chosen_by_its_id(phone: Path) -> None:
    connect(phone, "A1\tdevice\nA2\tdevice\n", {})
    add_run(phone / "A2" / ANDROID_LOG)
    assert json.loads(pull("--android", "--device", "A2", "--json").stdout)["new"] == 1
    assert "not ready" in pull("--android", "--device", "A3").stderr


def test_program_that_is_missing_is_named_with_where_it_comes_from(
    phone: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    assert "adb is not on the PATH" in pull("--android").stderr
    assert "Xcode" in pull("--ios").stderr
    assert pull().exit_code == pull("--android", "--ios").exit_code == 2
