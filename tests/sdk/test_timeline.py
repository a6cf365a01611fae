import dataclasses
import json
import uuid
from pathlib import Path

import numpy as np
from typer.testing import CliRunner

from mobisdk.cli.app import app
from mobisdk.latency.log import append_run, parse_run
from mobisdk.latency.record import LatencyRun, ThermalSample, durations
from mobisdk.latency.store import collect_runs
from mobisdk.report.charts.timeline import draw_timeline, timeline_points
from mobisdk.report.sparkline import sparkline

RUN = parse_run((Path(__file__).parents[1] / "contract/latency/good.jsonl").read_bytes().splitlines()[0])


def sustained(alpha: float = 0.5, resolution: int = 160) -> LatencyRun:
    """Ten seconds at 2 ms, then ten at 4: serious from the twelfth second on."""
    samples = np.concatenate([np.full(5000, 2_000_000), np.full(2500, 4_000_000)])
    return dataclasses.replace(
        RUN,
        run_id=str(uuid.uuid4()),
        mode="sustained",
        bundle=dataclasses.replace(
            RUN.bundle, alpha=alpha, resolution=resolution, variant_id=f"{int(100 * alpha):032x}{resolution:032x}"
        ),
        inference_ns=durations(samples.tolist()),
        sample_at_ns=durations(np.concatenate([[0], np.cumsum(samples)[:-1]]).tolist()),
        preprocess_ns=durations([]),
        postprocess_ns=durations([]),
        thermal=(ThermalSample(0, "nominal"), ThermalSample(12 * 10**9, "serious")),
    )


def test_timeline_has_levels_and_states_where_they_were() -> None:
    points = timeline_points(collect_runs((), [sustained(), dataclasses.replace(sustained(), mode="burst")]).table)
    assert {point["run"] for point in points} == {"run 1"}
    assert len(points) == 80
    assert {point["ms"] for point in points if point["s"] < 9.9} == {2.0}
    assert {point["ms"] for point in points if point["s"] > 10.1} == {4.0}
    assert {point["state"] for point in points if point["s"] < 11.9} == {"nominal"}
    assert {point["state"] for point in points if point["s"] > 12.1} == {"serious"}
    assert "serious" in json.dumps(draw_timeline(points))


def test_short_runs_have_no_timeline() -> None:
    assert timeline_points(collect_runs((), [dataclasses.replace(RUN, mode="sustained")]).table) == []


def test_charts_go_to_files_as_svg_and_png(tmp_path: Path) -> None:
    log, folder = tmp_path / "runs.jsonl", tmp_path / "charts"
    for alpha in (0.25, 0.5):
        for resolution in (128, 160):
            append_run(log, sustained(alpha, resolution))
    done = CliRunner().invoke(app, ["analyze", str(log), "--charts", str(folder)])
    assert done.exit_code == 0
    names = sorted(path.name for path in folder.iterdir())
    assert "device-1-latency-over-alpha-rho-1.svg" in names
    assert "device-1-sustained-work-over-time-1.png" in names
    assert len(names) % 2 == 0
    assert all((folder / name).read_bytes().startswith((b"<svg", b"\x89PNG")) for name in names)
    assert "▁▁▁▁▁██" in done.stdout  # eight parts, five of them before the change


def test_sparkline_has_a_level_a_value() -> None:
    assert sparkline([0, 1, 2, 3, 4, 5, 6, 7]) == "▁▂▃▄▅▆▇█"
    assert sparkline([5, 5, 5]) == "▁▁▁"
    assert sparkline([1]) == sparkline([]) == ""
