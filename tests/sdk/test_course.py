import dataclasses
import uuid
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from mobisdk.latency.course import Course, Throttling, describe_course, find_change, find_throttling, find_warmup
from mobisdk.latency.in_memory import analyze_runs
from mobisdk.latency.log import parse_run
from mobisdk.latency.record import LatencyRun, durations
from mobisdk.latency.store import collect_runs
from mobisdk.report.summary import explain

RUN = parse_run((Path(__file__).parents[1] / "contract/latency/good.jsonl").read_bytes().splitlines()[0])


def timed(samples: NDArray[Any], warmup: NDArray[Any] | None = None, **changes: Any) -> LatencyRun:
    nothing = durations([])
    at = np.concatenate([[0], np.cumsum(samples)[:-1]]).astype(int)
    return dataclasses.replace(
        RUN, run_id=str(uuid.uuid4()), inference_ns=durations(samples.astype(int).tolist()),
        warmup_ns=nothing if warmup is None else durations(warmup.astype(int).tolist()),
        sample_at_ns=durations(at.tolist()), preprocess_ns=nothing, postprocess_ns=nothing, **changes,
    )  # fmt: skip


def throttling_of(run: LatencyRun) -> Throttling | None:
    return find_throttling(run.inference_ns, run.sample_at_ns)


def warmup_of(run: LatencyRun) -> int:
    return find_warmup(run.warmup_ns, run.inference_ns)


def course_of(*runs: LatencyRun) -> Course:
    parts = ([getattr(run, name) for run in runs] for name in ("warmup_ns", "inference_ns", "sample_at_ns"))
    return describe_course(runs[0].mode, *parts)


def noise(count: int, seed: int, spread: float = 0.03, correlation: float = 0.6) -> NDArray[np.float64]:
    rng = np.random.default_rng(seed)
    values = rng.standard_normal(count)
    for index in range(1, count):
        values[index] = correlation * values[index - 1] + (1 - correlation**2) ** 0.5 * values[index]
    return np.exp(spread * values)


def test_level_that_changes_is_found_at_its_place() -> None:
    for seed in range(20):
        samples = np.log(2e6 * noise(200, seed) * np.where(np.arange(200) < 60, 1.0, 1.3))
        place = find_change(samples)
        assert place is not None
        assert abs(place - 60) <= 3


def test_level_that_stays_shows_a_change_in_few_runs() -> None:
    found = [find_change(np.log(2e6 * noise(200, seed))) is not None for seed in range(400)]
    assert np.mean(found) <= 0.05


@pytest.mark.parametrize("samples", [[5] * 40, [1, 2, 3], [0] * 12])
def test_samples_that_tell_nothing_show_no_change(samples: list[int]) -> None:
    assert throttling_of(timed(np.array(samples))) is None
    assert warmup_of(timed(np.array(samples))) == 0


def test_single_hiccup_is_no_change_of_level() -> None:
    samples = 2e6 * noise(100, 1)
    samples[97:] *= 20
    assert throttling_of(timed(samples)) is None


def test_warm_up_is_counted_and_its_reach_into_the_samples_is_seen() -> None:
    cold = 2e6 * noise(40, 3) * np.where(np.arange(40) < 8, 1.5, 1.0)
    within, beyond = timed(cold[12:], cold[:12]), timed(cold[4:], cold[:4])
    assert warmup_of(within) == warmup_of(beyond) == 8
    course = course_of(within, beyond)
    assert (course.warmup_samples, course.still_warming_runs) == (8, 1)


def test_throttling_has_its_time_and_its_levels() -> None:
    samples = 2e6 * noise(3000, 4) * np.where(np.arange(3000) < 1000, 1.0, 1.6)
    found = throttling_of(timed(samples))
    assert found is not None
    assert found.at_ns == pytest.approx(1000 * 2e6, rel=0.02)
    assert found.fresh_ns == pytest.approx(2e6, rel=0.02)
    assert found.steady_ns == pytest.approx(3.2e6, rel=0.02)
    report = analyze_runs(collect_runs((), (timed(samples, mode="sustained"),), (), 0))
    assert "throttles after 2 s of sustained work in 1 of 1 runs: from 2 to 3.2" in " ".join(explain(report))


def test_burst_is_not_said_to_throttle() -> None:
    samples = 2e6 * noise(300, 4) * np.where(np.arange(300) < 100, 1.0, 1.6)
    assert course_of(timed(samples)).throttled_runs == 0


def test_outliers_are_labelled_by_tukeys_fences() -> None:
    # 1 to 9: quartiles 3 and 7, fences at 13 and 19; with 15 and 25 the quartiles are 3.5 and 8.5, fences 16 and 23.5
    course = course_of(timed(np.array([1, 2, 3, 4, 5, 6, 7, 8, 9, 17, 25])))
    assert (course.mild_outliers, course.severe_outliers) == (1, 1)


@pytest.mark.parametrize("correlation", [0.0, 0.5, 0.9])
def test_autocorrelation_is_that_of_the_process(correlation: float) -> None:
    runs = [timed(2e6 * noise(400, seed, correlation=correlation)) for seed in range(30)]
    course = course_of(*runs)
    assert course.autocorrelation == pytest.approx(correlation, abs=0.03)
    independent = 12_000 * (1 - correlation) / (1 + correlation)
    assert course.independent_samples == pytest.approx(independent, rel=0.2)


def report_of(*runs: LatencyRun) -> Any:
    return analyze_runs(collect_runs((), runs, (), 0))


@pytest.mark.parametrize("factor", [1e-3, 1e3, 1e-6])
def test_slip_of_unit_is_kept_apart_and_named(factor: float) -> None:
    runs = [timed(2e6 * noise(10, seed)) for seed in range(5)]
    (group,) = report_of(*runs, timed(2e6 * factor * noise(10, 9))).groups
    assert group.warm[0].kept_apart == {"1,000 times off the others: a slip of unit?": 1}
    assert group.warm[0].runs == 5


def test_run_that_is_ten_times_slower_is_no_slip() -> None:
    runs = [timed(2e6 * noise(10, seed)) for seed in range(5)]
    (group,) = report_of(*runs, timed(2e7 * noise(10, 9))).groups
    assert group.warm[0].kept_apart == {}


@pytest.mark.parametrize(
    ("level", "charging", "apart"), [(0.1, False, 1), (0.1, None, 1), (0.1, True, 0), (0.2, False, 0)]
)
def test_low_battery_is_kept_apart_unless_it_charges(level: float, charging: bool | None, apart: int) -> None:
    conditions = dataclasses.replace(RUN.conditions, battery_level=level, charging=charging)
    (group,) = report_of(timed(2e6 * noise(10, 1)), timed(2e6 * noise(10, 2), conditions=conditions)).groups
    assert sum(group.warm[0].kept_apart.values()) == apart


def test_thread_count_that_is_too_high_is_told() -> None:
    runs = [
        timed(ns * 1e6 * noise(20, seed), runtime=dataclasses.replace(RUN.runtime, threads=threads))
        for threads, ns in ((1, 20), (4, 6.7), (8, 79))
        for seed in range(6)
    ]
    text = " ".join(explain(report_of(*runs)))
    assert "4 threads are fastest; more is slower, 12 × the time with 8." in text
