import csv
import dataclasses
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mobisdk.latency.analysis import AnalysisReport
from mobisdk.latency.in_memory import analyze_runs
from mobisdk.latency.log import parse_run
from mobisdk.latency.log_files import SetAside
from mobisdk.latency.record import LatencyRun, durations
from mobisdk.latency.store import collect_runs
from mobisdk.report.document import to_csv, to_document

RUN = parse_run((Path(__file__).parents[1] / "contract/latency/good.jsonl").read_bytes().splitlines()[0])
ASIDE = SetAside(Path("logs/bad.jsonl"), 4, "the line is not JSON")


def report(*runs: LatencyRun) -> AnalysisReport:
    return analyze_runs(collect_runs((Path("runs.jsonl"),), runs, (ASIDE,), 2))


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_document_has_every_figure_in_nanoseconds_and_what_became_of_each_line() -> None:
    warm = [dataclasses.replace(RUN, inference_ns=durations([n, n, n])) for n in (10, 11, 12, 13, 14, 15, 16)]
    cold = dataclasses.replace(RUN, mode="cold", load_ns=500, compile_ns=20)
    document = json.loads(json.dumps(to_document(report(*warm, cold)), allow_nan=False))
    assert document["schema"] == "mobisdk.analysis/1"
    assert (document["files"], document["runs"], document["duplicate_runs"]) == (1, 8, 2)
    assert document["set_aside"] == [{"file": "logs/bad.jsonl", "line": 4, "reason": "the line is not JSON"}]
    (group,) = document["groups"]
    assert group["device"]["model"] == "Pixel 8"
    assert group["runtime"]["threads"] == 4
    assert (group["arch"], group["alpha"], group["resolution"]) == ("mobilenet_v1", 0.5, 160)
    assert group["bundle_ids"] == [RUN.bundle.bundle_id]
    (burst,) = group["warm"]
    assert (burst["mode"], burst["runs"], burst["samples"]) == ("burst", 7, 21)
    assert burst["p50"] == {"value_ns": 13, "low_ns": 10, "high_ns": 16, "reason": None}
    assert burst["p99"]["reason"] == "7 runs; an interval of this tail needs about 572"
    assert burst["images_per_s"] == pytest.approx(1e9 / 13)
    assert group["cold"][0]["load"]["value_ns"] == 520
    assert document["summary"] == ["mobilenet_v1 0.5 at 160 takes 0.000013 ms."]


def test_csv_has_a_line_for_each_group_and_mode_with_units_in_its_header() -> None:
    cold_only = dataclasses.replace(
        RUN, mode="cold", bundle=dataclasses.replace(RUN.bundle, alpha=1.0, variant_id="ab" * 32)
    )
    lines = rows(to_csv(report(RUN, dataclasses.replace(RUN, mode="sustained"), cold_only)))
    assert [(line["alpha"], line["mode"]) for line in lines] == [("0.5", "burst"), ("0.5", "sustained"), ("1.0", "")]
    assert lines[0]["p50_ns"] == str(int(np.median(RUN.inference_ns)))
    assert lines[0]["p50_low_ns"] == ""
    assert lines[2]["cold_load_ns"] == str(RUN.load_ns)
    assert (lines[2]["runs"], lines[2]["cold_runs"]) == ("", "1")


@pytest.mark.parametrize("model", ["=1+1", "+1", "-1", "@SUM(A1)", " =1"])
def test_csv_when_a_text_would_run_as_a_formula_marks_it_as_text(model: str) -> None:
    changes: dict[str, Any] = {"device": dataclasses.replace(RUN.device, model=model)}
    (line,) = rows(to_csv(report(dataclasses.replace(RUN, **changes))))
    assert line["model"] == f"'{model}"
    assert line["manufacturer"] == "Google"


def test_csv_when_a_text_has_commas_and_quotes_keeps_it_whole_and_a_line_stays_one() -> None:
    model = 'a,"b"\n\r\tc'
    (line,) = rows(to_csv(report(dataclasses.replace(RUN, device=dataclasses.replace(RUN.device, model=model)))))
    assert line["model"] == 'a,"b"���c'
