import dataclasses
import json
from pathlib import Path
from typing import Any

import altair as alt
import numpy as np
import pytest

from mobisdk.latency.analysis import AnalysisReport, GroupReport
from mobisdk.latency.compare import compare_reports
from mobisdk.latency.in_memory import analyze_runs
from mobisdk.latency.log import parse_run
from mobisdk.latency.record import LatencyRun, durations
from mobisdk.latency.store import collect_runs
from mobisdk.report.accuracy import Accuracy
from mobisdk.report.blocks import build_blocks
from mobisdk.report.charts.cold_start import cold_start_points
from mobisdk.report.charts.distribution import distribution_strips
from mobisdk.report.charts.pareto import draw_pareto, fits, pareto_points
from mobisdk.report.charts.scale import MsScale, fit_ms_scale, spread
from mobisdk.report.charts.shifts import draw_shifts, shift_points
from mobisdk.report.charts.sweep import draw_sweep, is_sweep, sweep_points
from mobisdk.report.charts.theme import ORDERED, Limits, order_colours
from mobisdk.report.labels import table_rows
from mobisdk.report.numbers import format_interval_ms

RUN = parse_run((Path(__file__).parents[1] / "contract/latency/good.jsonl").read_bytes().splitlines()[0])


def variant_id(alpha: float, resolution: int, recipe: str = "xnnpack_fp32") -> str:
    return f"{round(alpha * 1000):016x}{resolution:016x}{recipe.encode().hex():0<32}"[:64]


def run(
    alpha: float, ns: list[int], *, resolution: int = 160, recipe: str = "xnnpack_fp32", **parts: Any
) -> LatencyRun:
    bundle = dataclasses.replace(
        RUN.bundle,
        alpha=alpha, resolution=resolution, recipe=recipe, variant_id=variant_id(alpha, resolution, recipe),
        spec=dict(RUN.bundle.spec or {}, alpha=alpha, resolution=resolution),
    )  # fmt: skip
    phases = {"preprocess_ns": durations([]), "postprocess_ns": durations([]), "inference_ns": durations(ns)}
    return dataclasses.replace(RUN, **{"bundle": bundle, **phases, **parts})


def cold(alpha: float, load: int, first: int, **parts: Any) -> LatencyRun:
    return run(alpha, [], mode="cold", compile_ns=None, load_ns=load, first_inference_ns=first, **parts)


def groups(*runs: LatencyRun) -> tuple[GroupReport, ...]:
    return analyze_runs(collect_runs((Path("runs.jsonl"),), runs, (), 0)).groups


def accuracy(alpha: float, share: float, **parts: Any) -> Accuracy:
    fields = {"variant_id": variant_id(alpha, 160), "share": share, "low": share - 0.01, "high": share + 0.01}
    return Accuracy(**{**fields, "images": 360, "image_set_sha256": "ab", "source": "a.json", **parts})


@pytest.mark.parametrize(
    ("values", "low", "high", "is_log"),
    [
        ([1.84], 0, 2, False),
        ([3, 9.9], 0, 10, False),
        ([0.9, 10.8], 0, 12, False),
        ([0.9, 11], 0.5, 20, True),
        ([0.05, 1.142], 0.05, 2, True),
        ([0.0, 500], 0, 500, False),
        ([0.0], 0, 1, False),
        ([1e-6, 1e12], 1e-6, 1e12, True),
    ],
)
def test_scale_when_fitted_holds_its_values_between_round_ends(
    values: list[float], low: float, high: float, is_log: bool
) -> None:
    assert fit_ms_scale(values) == MsScale(low, high, is_log)


def test_scale_when_logarithmic_puts_factors_at_equal_distances() -> None:
    scale = MsScale(1, 100, is_log=True)
    assert [scale.position(value) for value in (1, 10, 100)] == pytest.approx([0, 0.5, 1])
    assert [scale.value(place) for place in (0, 0.5, 1)] == pytest.approx([1, 10, 100])
    assert MsScale(0, 20, is_log=False).value(0.25) == 5


@pytest.mark.parametrize(
    ("positions", "moved"),
    [
        ([0.1, 0.5], [0.1, 0.5]),
        ([0.5, 0.5, 0.1], [0.5, 0.6, 0.1]),
        ([1.0, 0.95], [1.0, 0.9]),
        ([1.0, 1.0, 1.0], [0.8, 0.9, 1.0]),
        ([], []),
    ],
)
def test_labels_when_too_near_are_moved_apart_in_their_order(positions: list[float], moved: list[float]) -> None:
    assert spread(positions, 0.1) == pytest.approx(moved)


def test_ordered_colours_are_far_apart_and_the_last_is_the_strongest() -> None:
    assert order_colours(1) == [ORDERED[-1]]
    assert order_colours(2) == [ORDERED[0], ORDERED[-1]]
    assert order_colours(4) == [ORDERED[0], ORDERED[2], ORDERED[4], ORDERED[6]]
    assert len(order_colours(20)) == 20


def test_sweep_has_the_medians_and_intervals_of_the_report() -> None:
    samples = {alpha: [[round(alpha * 1e7) + 1000 * n] * 3 for n in range(7)] for alpha in (0.25, 0.5)}
    reported = groups(*(run(alpha, ns) for alpha, runs in samples.items() for ns in runs))
    points = sweep_points(table_rows(reported), "alpha")
    assert [(point["x"], point["series"], point["joined"]) for point in points] == [
        (0.25, "160 px", True),
        (0.5, "160 px", True),
    ]
    for point, group in zip(points, reported, strict=True):
        p50 = group.warm[0].p50
        assert p50 is not None
        assert p50.low_ns is not None
        assert point["ms"] == pytest.approx(np.median(samples[point["x"]]) / 1e6, rel=1e-4)
        assert (point["low"], point["high"]) == pytest.approx((p50.low_ns / 1e6, (p50.high_ns or 0) / 1e6), rel=1e-4)
        assert point["text"] == f"{format_interval_ms(p50)} ms"
        assert point["runs"] == 7


def test_sweep_over_resolution_has_a_line_for_each_alpha() -> None:
    rows = table_rows(groups(*(run(a, [round(a * r)], resolution=r) for a in (0.5, 1.0) for r in (128, 224))))
    points = sweep_points(rows, "resolution")
    assert [(point["series"], point["x"]) for point in points] == [
        ("α 0.5", 128),
        ("α 0.5", 224),
        ("α 1.0", 128),
        ("α 1.0", 224),
    ]


def test_sweep_joins_the_fastest_of_variants_with_the_same_dials() -> None:
    slow = run(0.5, [4_000_000])
    slow = dataclasses.replace(slow, bundle=dataclasses.replace(slow.bundle, variant_id="ab" * 32))
    points = sweep_points(table_rows(groups(run(0.25, [1_000_000]), run(0.5, [2_000_000]), slow)), "alpha")
    assert [(point["ms"], point["joined"]) for point in points] == [(1, True), (2, True), (4, False)]
    assert "(abababab)" in points[2]["network"]
    assert "(" not in points[0]["network"]


def test_sweep_needs_two_settings_of_the_dial_with_all_else_equal() -> None:
    rows = table_rows(groups(run(0.25, [1], resolution=128), run(0.5, [2], resolution=160)))
    assert not is_sweep(sweep_points(rows, "alpha"))
    assert not is_sweep(sweep_points(rows, "resolution"))
    assert not is_sweep([])


def test_network_of_others_has_no_place_on_a_dial() -> None:
    other = run(0.5, [1])
    other = dataclasses.replace(other, bundle=dataclasses.replace(other.bundle, arch=None, alpha=None, spec=None))
    assert sweep_points(table_rows(groups(other)), "alpha") == []


def test_strip_counts_samples_by_their_distance_from_the_median() -> None:
    (strip,) = distribution_strips(table_rows(groups(run(0.5, [100] * 6 + [110] * 3 + [150]))))
    assert strip["samples"] == 10
    begins = [strip["start"] + strip["step"] * number for number in strip["bin"]]
    nearest = [min((0, 10, 50), key=lambda percent: abs(percent - begin)) for begin in begins]
    assert nearest == [0, 10, 50]
    assert all(abs(a - b) <= strip["step"] for a, b in zip(begins, nearest, strict=True))
    assert strip["density"] == [1, 0.5, 0.17]


def test_strips_share_an_axis_that_the_slowest_samples_do_not_stretch() -> None:
    rows = table_rows(groups(run(0.25, [10] * 999 + [100_000]), run(0.5, [1000, 1200])))
    first, second = distribution_strips(rows)
    assert (first["start"], first["step"]) == (second["start"], second["step"])
    assert first["start"] + 96 * first["step"] < 15
    assert first["p95"] == pytest.approx(10 / 1e6)


@pytest.mark.parametrize("ns", [[7], [5, 5, 5], [10**18, 10**18]])
def test_strip_of_equal_samples_is_one_bin(ns: list[int]) -> None:
    (strip,) = distribution_strips(table_rows(groups(run(0.5, ns))))
    assert strip["density"] == [1]


def test_strip_of_nothing_is_none() -> None:
    assert distribution_strips(table_rows(groups(run(0.5, [0, 0, 0])))) == []
    assert distribution_strips(table_rows(groups(cold(0.5, 1, 1)))) == []


def test_cold_start_has_its_stages_beside_the_warm_median() -> None:
    rows = table_rows(groups(run(0.5, [2_000_000]), cold(0.5, 30_000_000, 5_000_000), run(0.25, [1])))
    assert [(point["row"], point["stage"], point["ms"]) for point in cold_start_points(rows)] == [
        ("0.5 at 160", "warm", 2),
        ("0.5 at 160", "first inference", 5),
        ("0.5 at 160", "load", 30),
    ]


def test_front_is_where_none_is_both_faster_and_more_accurate() -> None:
    rows = table_rows(groups(*(run(alpha, [round(alpha * 1e7)]) for alpha in (0.25, 0.5, 0.75, 1.0, 1.25))))
    shares = {0.25: 0.5, 0.5: 0.7, 0.75: 0.6, 1.0: 0.7}
    points = pareto_points(rows, {variant_id(a, 160): accuracy(a, share) for a, share in shares.items()})
    assert [(point["ms"], point["share"], point["is_best"]) for point in points] == [
        (2.5, 50, True),
        (5, 70, True),
        (7.5, 60, False),
        (10, 70, False),
    ]
    spec = draw_pareto(points)
    steps = spec["datasets"][spec["layer"][0]["data"]["name"]]
    assert [(step["ms"], step["share"]) for step in steps] == [(2.5, 50), (5, 70), (10, 70)]


def test_front_when_it_is_long_names_some_of_its_networks() -> None:
    alphas = [round(0.1 + 0.05 * step, 2) for step in range(30)]
    rows = table_rows(groups(*(run(alpha, [round(alpha * 1e7)]) for alpha in alphas)))
    known = {variant_id(alpha, 160): accuracy(alpha, alpha / 2) for alpha in alphas}
    points = pareto_points(rows, known)
    assert all(point["is_best"] for point in points)
    assert 5 <= sum(point["is_named"] for point in points) <= 12


MEASURED = [
    *(
        run(alpha, [round(alpha * resolution**2 * (1 + n / 50))] * 4, resolution=resolution, recipe=recipe)
        for alpha in (0.25, 0.5, 1.0)
        for resolution in (128, 224)
        for recipe in ("xnnpack_fp32", "xnnpack_int8")
        for n in range(5)
    ),
    run(0.5, [10_000] * 30, mode="sustained"),
    *(cold(alpha, 10**7, 10**6, recipe=recipe) for alpha in (0.25, 0.5) for recipe in ("xnnpack_fp32", "xnnpack_int8")),
]


@pytest.fixture(scope="module")
def specs() -> dict[str, list[dict[str, Any]]]:
    known = {id_: accuracy(0, 0.5 + place / 100, variant_id=id_) for place, id_ in enumerate(
        sorted({measured.bundle.variant_id for measured in MEASURED})
    )}  # fmt: skip
    blocks = build_blocks(table_rows(groups(*MEASURED)), known)
    return {block.heading: [json.loads(json.dumps(figure.spec)) for figure in block.figures] for block in blocks}


def test_every_kind_of_chart_is_drawn_for_each_setting(specs: dict[str, list[dict[str, Any]]]) -> None:
    assert {heading: len(figures) for heading, figures in specs.items()} == {
        "Accuracy against latency": 2,
        "Latency over α × ρ": 2,
        "Latency against width α": 2,
        "Latency against resolution ρ": 2,
        "Spread of the samples": 3,
        "Cold against warm": 2,
    }


def test_every_chart_is_valid_vega_lite_with_units_on_its_axes(specs: dict[str, list[dict[str, Any]]]) -> None:
    for figures in specs.values():
        for spec in figures:
            alt.LayerChart.from_dict(spec, validate=True)
            assert spec["$schema"] == "https://vega.github.io/schema/vega-lite/v6.4.1.json"
            text = json.dumps(spec, ensure_ascii=False)
            assert "(ms)" in text or "(%)" in text or "milliseconds" in text
            assert "http" not in text.replace(spec["$schema"], "")
            assert '"url"' not in text


def test_every_kind_of_chart_compiles_and_has_marks(specs: dict[str, list[dict[str, Any]]]) -> None:
    import vl_convert

    for figures in specs.values():
        svg = vl_convert.vegalite_to_svg(dict(figures[0], width=500))
        marks = sum(svg.count(f'aria-roledescription="{mark}"') for mark in ("point", "bar", "rect mark"))
        assert marks >= 2


def test_charts_of_one_kind_share_their_scale(specs: dict[str, list[dict[str, Any]]]) -> None:
    first, second = specs["Latency against width α"]
    domains = [json.dumps(spec["layer"][0]["encoding"]["y"]["scale"]) for spec in (first, second)]
    assert domains[0] == domains[1]


def test_sweep_without_an_interval_draws_none() -> None:
    points = sweep_points(table_rows(groups(run(0.25, [1_000_000]), run(0.5, [2_000_000]))), "alpha")
    marks = [layer["mark"]["type"] for layer in draw_sweep(points, "alpha", fit_ms_scale([1, 2]))["layer"]]
    assert marks == ["line", "point", "text"]


def test_budget_is_in_the_scales_and_counts_who_keeps_it() -> None:
    known = {
        group.bundle.variant_id: accuracy(0, 0.6, variant_id=group.bundle.variant_id) for group in groups(*MEASURED)
    }
    limits = Limits(max_latency_ms=0.5, min_accuracy=0.3)
    points = pareto_points(table_rows(groups(*MEASURED)), known)
    drawn = json.dumps(draw_pareto(points, limits))
    assert '"ms": 0.5' in drawn
    assert '"share": 30' in drawn
    assert fits(points[0], limits)
    assert not fits(points[0], Limits(max_latency_ms=points[0]["ms"] / 2))
    assert not fits(points[0], Limits(min_accuracy=0.61))


def test_size_has_a_front_and_a_line_of_its_own() -> None:
    measured = groups(*(run(alpha, [round(1e6 * alpha)] * 9) for alpha in (0.25, 0.5, 0.75)))
    sizes = {0.25: 3_000_000, 0.5: 1_000_000, 0.75: 2_000_000}
    known = {
        variant_id(alpha, 160): accuracy(alpha, 0.5 + alpha / 10, model_bytes=size) for alpha, size in sizes.items()
    }
    points = pareto_points(table_rows(measured), known, "mb")
    assert [(point["mb"], point["is_best"]) for point in points] == [(1, True), (2, True), (3, False)]
    assert [point["is_best"] for point in pareto_points(table_rows(measured), known)] == [True] * 3
    limits = Limits(max_size_mb=2)
    assert [fits(point, limits) for point in points] == [True, True, False]
    drawn = draw_pareto(points, limits, "mb")
    alt.LayerChart.from_dict(drawn, validate=True)
    text = json.dumps(drawn)
    assert '"limit": "2 MB"' in text
    assert '"field": "mb"' in text
    assert '"field": "ms"' not in text


def test_size_that_no_evaluation_tells_keeps_no_budget_and_is_asked_for() -> None:
    rows = table_rows(groups(run(0.5, [10**6] * 9)))
    known = {variant_id(0.5, 160): accuracy(0.5, 0.6)}
    (point,) = pareto_points(rows, known)
    assert not fits(point, Limits(max_size_mb=100))
    assert "Accuracy against size" not in [block.heading for block in build_blocks(rows, known)]
    asked = build_blocks(rows, known, limits=Limits(max_size_mb=1))
    (block,) = (block for block in asked if block.heading == "Accuracy against size")
    assert (block.figures, block.commands[0].split()[1]) == ((), "evaluate")


def test_changes_name_what_tells_rows_apart_and_are_the_worst_first() -> None:
    before, after = (
        AnalysisReport(
            groups(
                *(
                    run(alpha, [round(1e6 * alpha * slower * (1 + n / 1000))] * 4)
                    for alpha, slower in found for n in range(6)
                ),
                *(run(0.5, [round(5e5 * (1 + n / 1000))] * 4, mode="sustained") for n in range(6)),
            ), 1, 1, 0, (),
        )
        for found in (((0.25, 1.0), (0.5, 1.0)), ((0.25, 1.1), (0.5, 1.3)))
    )  # fmt: skip
    comparison = compare_reports(before, after)
    points = shift_points(comparison, brief=True)
    assert [(point["network"], point["verdict"]) for point in points] == [
        ("0.5 at 160, burst", "slower"),
        ("0.25 at 160, burst", "slower"),
        ("0.5 at 160, sustained", "same"),
    ]
    assert points[0]["change"] == pytest.approx(30, abs=0.1)
    alt.LayerChart.from_dict(draw_shifts(points, 0.05), validate=True)
