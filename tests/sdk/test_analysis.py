import dataclasses
import itertools
from pathlib import Path
from typing import Any

import pytest

from mobisdk.errors import DataError
from mobisdk.latency.analysis import AnalysisReport
from mobisdk.latency.in_memory import analyze_runs
from mobisdk.latency.log import parse_run
from mobisdk.latency.log_files import SetAside
from mobisdk.latency.record import LatencyRun, durations
from mobisdk.latency.store import collect_runs

RUN = parse_run((Path(__file__).parents[1] / "contract/latency/good.jsonl").read_bytes().splitlines()[0])
NUMBERS = itertools.count()


def run_with(**changes: Any) -> LatencyRun:
    """The golden Android run with another id; `part__field=value` changes a field of a part."""
    run = dataclasses.replace(RUN, run_id=f"00000000-0000-4000-8000-{next(NUMBERS):012x}")
    for name, value in changes.items():
        part, _, field = name.partition("__")
        whole = dataclasses.replace(getattr(run, part), **{field: value}) if field else value
        run = dataclasses.replace(run, **{part: whole})
    return run


def timed(inference: list[int], **changes: Any) -> LatencyRun:
    count = len(inference)
    phases = {"preprocess_ns": durations([]), "postprocess_ns": durations([])} | changes
    return run_with(inference_ns=durations(inference), sample_at_ns=durations(range(count)), **phases)


def cold(load: int, first: int, **changes: Any) -> LatencyRun:
    return timed([], mode="cold", load_ns=load, first_inference_ns=first, **changes)


def analyze(*runs: LatencyRun) -> AnalysisReport:
    return analyze_runs(collect_runs((Path("runs.jsonl"),), runs))


@pytest.mark.parametrize(
    "change",
    [
        {"device__model": "Pixel 9"},
        {"device__os_version": "16"},
        {"device__soc": "another"},
        {"device__is_emulator": True},
        {"bundle__variant_id": "ab" * 32},
        {"runtime__name": "litert"},
        {"runtime__version": "1.5.0"},
        {"runtime__backend_requested": "vulkan"},
        {"runtime__compute_units": "cpuOnly"},
        {"runtime__threads": 1},
        {"runtime__threads": None},
    ],
)
def test_runs_that_differ_when_analyzed_are_not_merged(change: dict[str, Any]) -> None:
    report = analyze(run_with(), run_with(), run_with(**change))
    assert sorted(sum([w.runs, *w.kept_apart.values()]) for group in report.groups for w in group.warm) == [1, 2]


def test_runs_of_one_variant_when_weights_or_free_memory_differ_are_merged() -> None:
    report = analyze(
        run_with(),
        run_with(bundle__bundle_id="cd" * 32, bundle__weights_source="checkpoint"),
        run_with(device__memory_bytes=7_964_561_000),
        run_with(runtime=dataclasses.replace(RUN.runtime)),
    )
    (group,) = report.groups
    assert group.warm[0].runs == 4
    assert group.warm[0].samples == 12
    assert group.bundle_ids == (RUN.bundle.bundle_id, "cd" * 32)
    assert group.weights_sources == ("checkpoint", "random")


def test_modes_when_analyzed_stay_apart() -> None:
    report = analyze(timed([10]), timed([20], mode="sustained"), timed([30, 30], mode="sustained"))
    (group,) = report.groups
    assert [(warm.mode, warm.runs, warm.p50 and warm.p50.value_ns) for warm in group.warm] == [
        ("burst", 1, 10),
        ("sustained", 2, 30),
    ]


def test_samples_of_a_group_are_at_hand_run_by_run() -> None:
    (group,) = analyze(timed([10, 12]), timed([11])).groups
    assert [samples.tolist() for samples in group.warm[0].inference_ns] == [[10, 12], [11]]


def test_cold_starts_when_analyzed_add_compiling_and_loading_and_keep_caches_apart() -> None:
    report = analyze(
        *(cold(load, 5, cache_state="warm") for load in (100, 300, 200)),
        cold(9000, 70, cache_state="cold", compile_ns=1000),
    )
    (group,) = report.groups
    assert group.warm == ()
    assert [(c.cache_state, c.runs, c.load and c.load.value_ns) for c in group.cold] == [
        ("cold", 1, 10_000),
        ("warm", 3, 200),
    ]
    assert group.cold[0].first_inference is not None
    assert group.cold[0].first_inference.value_ns == 70


def test_cold_and_warm_of_a_variant_are_one_group() -> None:
    (group,) = analyze(cold(100, 5), timed([1, 2, 3])).groups
    assert (len(group.warm), len(group.cold)) == (1, 1)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"golden__passed": False}, "golden image failed"),
        ({"conditions__low_power_mode": True}, "low-power mode"),
        ({"conditions__thermal_before": "serious"}, "hot at the start"),
        ({"conditions__thermal_before": "critical"}, "hot at the start"),
        ({"conditions__foreground": False}, "left the foreground"),
    ],
)
def test_run_of_something_else_when_analyzed_is_kept_apart_and_counted(change: dict[str, Any], reason: str) -> None:
    odd = timed([1_000_000], **change)
    (group,) = analyze(timed([10]), timed([12]), odd, cold(1, 1, **change)).groups
    assert group.warm[0].runs == 2
    assert group.warm[0].p50 is not None
    assert group.warm[0].p50.value_ns == 11
    assert group.warm[0].kept_apart == {reason: 1}
    assert (group.cold[0].runs, group.cold[0].kept_apart, group.cold[0].load) == (0, {reason: 1}, None)


def test_group_when_every_run_is_kept_apart_has_no_figures() -> None:
    (group,) = analyze(run_with(golden__passed=False)).groups
    warm = group.warm[0]
    assert (warm.runs, warm.samples, warm.p50, warm.p99, warm.end_to_end, warm.images_per_s) == (
        0,
        0,
        None,
        None,
        None,
        None,
    )


def test_emulator_when_analyzed_is_a_device_of_its_own_and_kept_apart_unless_asked_for() -> None:
    runs = run_with(), run_with(device__is_emulator=True)
    phone, emulator = analyze(*runs).groups
    assert phone.device_label == "Google Pixel 8 (Tensor G3), 9 cores, Android 15"
    assert emulator.device_label == "Google Pixel 8 (Tensor G3), 9 cores, Android 15, emulator"
    assert (phone.warm[0].runs, emulator.warm[0].runs, emulator.warm[0].p50) == (1, 0, None)
    assert emulator.warm[0].kept_apart == {"ran on an emulator": 1}
    _, asked_for = analyze_runs(collect_runs((), runs, (), 0), emulators=True).groups
    assert (asked_for.warm[0].runs, asked_for.warm[0].kept_apart) == (1, {})


def test_throughput_is_one_image_after_the_other() -> None:
    run = timed([2_000_000] * 3, preprocess_ns=durations([5_000_000] * 3), postprocess_ns=durations([1_000_000] * 3))
    warm = analyze(run).groups[0].warm[0]
    assert warm.images_per_s == 500
    assert warm.end_to_end_images_per_s == 125
    assert (warm.preprocess and warm.preprocess.value_ns, warm.postprocess and warm.postprocess.value_ns) == (
        5_000_000,
        1_000_000,
    )


def test_end_to_end_when_a_run_did_not_preprocess_is_not_given() -> None:
    warm = analyze(timed([2]), timed([2], preprocess_ns=durations([1]))).groups[0].warm[0]
    assert warm.end_to_end is None
    assert warm.preprocess is not None


def test_end_to_end_when_nothing_was_postprocessed_is_the_rest() -> None:
    warm = analyze(timed([2, 2], preprocess_ns=durations([1, 1]))).groups[0].warm[0]
    assert warm.end_to_end is not None
    assert warm.end_to_end.value_ns == 3


def test_largest_durations_when_added_do_not_overflow() -> None:
    most = durations([10**18])
    warm = analyze(timed([10**18], preprocess_ns=most, postprocess_ns=most)).groups[0].warm[0]
    assert warm.end_to_end is not None
    assert warm.end_to_end.value_ns == 3 * 10**18


@pytest.mark.parametrize(
    ("bundle", "label"),
    [
        ({"bundle__alpha": 1}, "mobilenet_v1 1.0 at 160"),
        ({"bundle__alpha": 0.25}, "mobilenet_v1 0.25 at 160"),
        ({"bundle__arch": None, "bundle__alpha": None}, "variant 2e2e2e2e"),
    ],
)
def test_variant_is_named_by_its_dials(bundle: dict[str, Any], label: str) -> None:
    assert analyze(run_with(**bundle)).groups[0].variant_label == label


def test_groups_are_sorted_by_device_then_network() -> None:
    report = analyze(
        *(run_with(bundle__alpha=a, bundle__variant_id=f"{i:064x}") for i, a in enumerate((1.0, 0.25, 0.5))),
        run_with(device__manufacturer="Acme", device__model="One"),
    )
    assert [(g.device.manufacturer, g.bundle.alpha) for g in report.groups] == [
        ("Acme", 0.5),
        ("Google", 0.25),
        ("Google", 0.5),
        ("Google", 1.0),
    ]


def test_logs_without_a_run_are_an_error_that_shows_the_first_reason() -> None:
    with pytest.raises(DataError, match="no run in these logs"):
        analyze()
    aside = (SetAside(Path("bad.jsonl"), 3, "the line is not JSON"),)
    with pytest.raises(
        DataError, match=r"and 1 line set aside. The first is line 3 of 'bad.jsonl': the line is not JSON"
    ):
        analyze_runs(collect_runs((Path("bad.jsonl"),), (), aside, 0))
