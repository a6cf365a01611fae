import dataclasses
import itertools
import json
import re
import uuid
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from typer.testing import CliRunner

from mobisdk.cli.app import app
from mobisdk.latency.log import append_run, parse_run
from mobisdk.latency.record import LatencyRun, durations

RUN = parse_run((Path(__file__).parents[1] / "contract/latency/good.jsonl").read_bytes().splitlines()[0])
HOSTILE = "<script>alert(1)</script>\n|[x](javascript:1)|@everyone"
NUMBERS = itertools.count(1)


def made(median_ns: float, **changes: Any) -> LatencyRun:
    """A run; `part__field=value` changes a field of a part."""
    run = dataclasses.replace(
        RUN, run_id=str(uuid.UUID(int=next(NUMBERS))), inference_ns=durations([round(median_ns)] * 3)
    )
    for name, value in changes.items():
        part, _, field = name.partition("__")
        run = dataclasses.replace(run, **{part: dataclasses.replace(getattr(run, part), **{field: value})})
    return run


def log(path: Path, factor: float, runs: int = 10, noise: float = 0.02, seed: int = 0, **changes: Any) -> Path:
    rng = np.random.default_rng(seed)
    for _ in range(runs):
        append_run(path, made(2e6 * factor * rng.lognormal(0, noise), **changes))
    return path


def compare(*arguments: object) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, ["compare", *map(str, arguments)])
    return result.exit_code, result.stdout, result.stderr


def test_slower_network_ends_with_one_and_says_by_how_much(tmp_path: Path) -> None:
    old, new = log(tmp_path / "old.jsonl", 1.0), log(tmp_path / "new.jsonl", 1.2, seed=1)
    status, out, err = compare(old, new)
    assert (status, err) == (1, "")
    assert "1 slower of 1 variant (threshold 5 %)." in out
    status, out, _ = compare(old, new, "--json")
    (variant,) = json.loads(out)["variants"]
    assert status == 1
    assert variant["verdict"] == "slower"
    assert variant["low"] < 0.2 < variant["high"]
    assert (variant["old_runs"], variant["new_runs"]) == (10, 10)


@pytest.mark.parametrize(("factor", "verdict"), [(1.0, "same"), (0.8, "faster"), (1.15, "same")])
def test_all_else_ends_with_zero(tmp_path: Path, factor: float, verdict: str) -> None:
    old, new = log(tmp_path / "old.jsonl", 1.0), log(tmp_path / "new.jsonl", factor, seed=1)
    status, out, _ = compare(old, new, "--json", "--threshold", "0.25" if factor == 1.15 else "5%")
    assert status == 0
    assert json.loads(out)["variants"][0]["verdict"] == ("same" if factor > 0.8 else verdict)


def test_noisy_runs_cannot_tell_and_name_the_number_that_would(tmp_path: Path) -> None:
    old = log(tmp_path / "old.jsonl", 1.0, runs=5, noise=0.1)
    new = log(tmp_path / "new.jsonl", 1.08, runs=5, noise=0.1, seed=1)
    status, out, _ = compare(old, new)
    assert status == 0
    assert "1 cannot tell of 1 variant" in out
    assert re.search(r"\? \d+ runs would tell", out)


def test_junit_and_markdown_say_the_same(tmp_path: Path) -> None:
    slow, fine = {"bundle__variant_id": "aa" * 32}, {"bundle__variant_id": "bb" * 32, "bundle__alpha": 0.25}
    for name, factor in (("old", 1.0), ("new", 1.3)):
        log(tmp_path / f"{name}.jsonl", factor, seed=int(factor), **slow)
        log(tmp_path / f"{name}.jsonl", 1.0, seed=int(factor), **fine)
        log(tmp_path / f"{name}.jsonl", 1.0, runs=2, bundle__variant_id="cc" * 32)
    junit, markdown = tmp_path / "junit.xml", tmp_path / "report.md"
    arguments = (tmp_path / "old.jsonl", tmp_path / "new.jsonl", "--junit", junit, "--markdown", markdown)
    assert compare(*arguments)[0] == 1
    suite = ElementTree.parse(junit).getroot()  # noqa: S314
    assert {name: suite.get(name) for name in ("tests", "failures", "skipped")} == {
        "tests": "3", "failures": "1", "skipped": "1",
    }  # fmt: skip
    (failure,) = suite.iter("failure")
    assert "slower" in (failure.get("message") or "")
    text = markdown.read_text(encoding="utf-8")
    assert "1 slower" in text
    assert "▲ slower" in text
    assert "2 runs on one side; a verdict needs 5" in text


def test_chart_has_every_change_with_its_verdict(tmp_path: Path) -> None:
    old, new = log(tmp_path / "old.jsonl", 1.0), log(tmp_path / "new.jsonl", 1.2, seed=1)
    log(old, 1.0, runs=2, bundle__variant_id="cc" * 32, bundle__alpha=0.25)
    log(new, 1.0, runs=2, bundle__variant_id="cc" * 32, bundle__alpha=0.25)
    status, _, err = compare(old, new, "--chart", tmp_path / "changes.svg")
    assert (status, err) == (1, f"Chart: {tmp_path / 'changes.svg'}\n")
    text = (tmp_path / "changes.svg").read_text(encoding="utf-8")
    assert "mobilenet_v1 0.5 at 160, xnnpack_fp32" in text
    assert "verdict: slower" in text
    assert "verdict: cannot tell" in text
    assert compare(old, new, "--chart", tmp_path / "changes.gif")[0] == 1


def test_hostile_names_act_in_no_output(tmp_path: Path) -> None:
    for name in ("old", "new"):
        log(tmp_path / f"{name}.jsonl", 1.0, device__model=HOSTILE)
    junit, markdown = tmp_path / "junit.xml", tmp_path / "report.md"
    compare(tmp_path / "old.jsonl", tmp_path / "new.jsonl", "--junit", junit, "--markdown", markdown)
    text = markdown.read_text(encoding="utf-8")
    assert "<script" not in text
    assert "@everyone" not in text
    assert "](javascript" not in text
    (case,) = ElementTree.parse(junit).getroot().iter("testcase")  # noqa: S314
    assert "<script>alert(1)</script>\ufffd|" in (case.get("classname") or "")


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"device__model": "Pixel 9"}, "device.model"),
        ({"device__os_version": "16"}, "device.os_version"),
        ({"runtime__version": "1.5.0"}, "runtime.version"),
        ({"runtime__threads": 2}, "runtime.threads"),
    ],
)
def test_different_devices_runtimes_or_threads_are_refused_by_name(
    tmp_path: Path, changes: dict[str, Any], named: str
) -> None:
    old, new = log(tmp_path / "old.jsonl", 1.0), log(tmp_path / "new.jsonl", 1.0, **changes)
    status, out, err = compare(old, new)
    assert (status, out) == (1, "")
    assert f"measured mobilenet_v1 0.5 at 160 differently, in {named}, got" in err


def test_kernel_that_leaves_more_memory_is_no_other_device(tmp_path: Path) -> None:
    old, new = log(tmp_path / "old.jsonl", 1.0), log(tmp_path / "new.jsonl", 1.0, seed=1, device__memory_bytes=1)
    assert compare(old, new)[0] == 0


def test_variants_that_one_side_lacks_are_told(tmp_path: Path) -> None:
    old, new = log(tmp_path / "old.jsonl", 1.0), log(tmp_path / "new.jsonl", 1.0, seed=1)
    log(new, 1.0, bundle__variant_id="dd" * 32)
    status, _, err = compare(old, new)
    assert (status, err) == (0, "1 setting only in NEW\n")


def test_nothing_in_common_is_an_error(tmp_path: Path) -> None:
    old, new = log(tmp_path / "old.jsonl", 1.0), log(tmp_path / "new.jsonl", 1.0, bundle__variant_id="dd" * 32)
    status, out, err = compare(old, new)
    assert (status, out) == (1, "")
    assert "no warm runs of a variant in common" in err


@pytest.mark.parametrize("threshold", ["five", "5", "-1%", "nan"])
def test_threshold_that_is_no_share_is_refused(tmp_path: Path, threshold: str) -> None:
    path = log(tmp_path / "old.jsonl", 1.0)
    status, _, err = compare(path, path, "--threshold", threshold)
    assert status == 1
    assert "--threshold must be a share" in err
