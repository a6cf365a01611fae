import dataclasses
from pathlib import Path
from typing import Any

import numpy as np

from mobisdk.latency.analysis import AnalysisReport
from mobisdk.latency.in_memory import analyze_runs
from mobisdk.latency.log import parse_run
from mobisdk.latency.record import LatencyRun, durations
from mobisdk.latency.store import collect_runs
from mobisdk.report.summary import explain

RUN = parse_run((Path(__file__).parents[1] / "contract/latency/good.jsonl").read_bytes().splitlines()[0])


def runs_of(alpha: float, ms: float, count: int = 6, **parts: Any) -> list[LatencyRun]:
    """Runs of one network whose medians lie around `ms`, 1 % apart."""
    bundle = dataclasses.replace(RUN.bundle, alpha=alpha, variant_id=f"{round(alpha * 100):064x}")
    nothing = durations([])
    made = dataclasses.replace(RUN, bundle=bundle, preprocess_ns=nothing, postprocess_ns=nothing, **parts)
    step = np.linspace(-1, 1, 9)
    return [
        dataclasses.replace(made, inference_ns=durations((ms * 1e6 * (1 + 0.01 * shift + 0.01 * step)).astype(int)))
        for shift in np.linspace(-1, 1, count)
    ]


def report(*runs: list[LatencyRun]) -> AnalysisReport:
    return analyze_runs(collect_runs((Path("runs.jsonl"),), tuple(run for each in runs for run in each), (), 0))


def test_networks_that_differ_in_alpha_are_compared_by_it() -> None:
    assert explain(report(runs_of(0.25, 1.2), runs_of(0.5, 2.4), runs_of(1.0, 7.32))) == (
        "mobilenet_v1 0.25 at 160 is fastest: 1.200 ms; α = 1.0 costs 6.1 × as much.",
    )


def test_one_network_is_named_with_its_time() -> None:
    assert explain(report(runs_of(0.25, 1.2))) == ("mobilenet_v1 0.25 at 160 takes 1.200 ms.",)


def test_too_few_runs_say_how_many_would_give_an_interval() -> None:
    sentences = explain(report(runs_of(0.25, 1.2, count=1), runs_of(0.5, 2.4)))
    assert sentences[1] == "An interval needs 3 runs of a bundle; some have one run, so they may differ by chance."


def test_networks_whose_intervals_overlap_are_not_told_apart() -> None:
    (sentence,) = explain(report(runs_of(0.25, 1.2), runs_of(0.5, 1.205)))
    assert "cannot be told from mobilenet_v1 0.5 at 160" in sentence


def test_what_differs_besides_the_network_is_named_and_costs_are_compared_within_it() -> None:
    one_thread = dataclasses.replace(RUN.runtime, threads=1)
    sentence, advice = explain(report(runs_of(0.25, 1.2), runs_of(0.5, 2.4), runs_of(0.25, 5.0, runtime=one_thread)))
    assert advice.endswith(": 4 threads are fastest.")
    assert sentence == "mobilenet_v1 0.25 at 160 on 4 threads is fastest: 1.200 ms; α = 0.5 costs 2.0 × as much."


def test_each_device_and_mode_has_its_sentence() -> None:
    other = dataclasses.replace(RUN.device, model="Pixel 9")
    sentences = explain(
        report(runs_of(0.25, 1.2), runs_of(0.25, 1.5, mode="sustained"), runs_of(0.25, 1.1, device=other))
    )
    assert sentences == (
        "Google Pixel 8 (Tensor G3), 9 cores, Android 15, burst: mobilenet_v1 0.25 at 160 takes 1.200 ms.",
        "Google Pixel 8 (Tensor G3), 9 cores, Android 15, sustained: mobilenet_v1 0.25 at 160 takes 1.500 ms.",
        "Google Pixel 9 (Tensor G3), 9 cores, Android 15: mobilenet_v1 0.25 at 160 takes 1.100 ms.",
    )


def test_runs_that_were_all_kept_apart_are_not_explained() -> None:
    failed = dataclasses.replace(RUN.golden, passed=False)  # type: ignore[type-var]
    assert explain(report(runs_of(0.25, 1.2, golden=failed))) == ()
