import dataclasses
from pathlib import Path
from typing import Any

from mobisdk.latency.in_memory import analyze_runs
from mobisdk.latency.log import parse_run
from mobisdk.latency.record import Conditions, LatencyRun
from mobisdk.latency.store import collect_runs
from mobisdk.report.circumstances import describe_circumstances, describe_coverage, describe_kept_apart
from mobisdk.report.labels import table_rows

RUN = parse_run((Path(__file__).parents[1] / "contract/latency/good.jsonl").read_bytes().splitlines()[0])
UNKNOWN = Conditions(None, None, None, None, None, None, None, None)


def run(*, conditions: Conditions = UNKNOWN, **parts: Any) -> LatencyRun:
    return dataclasses.replace(RUN, conditions=conditions, **parts)


def describe(*runs: LatencyRun) -> dict[str, str]:
    logs = collect_runs((Path("runs.jsonl"),), runs)
    return dict(describe_circumstances(analyze_runs(logs).groups, logs.table))


def test_what_no_run_says_is_left_out() -> None:
    told = describe(run(golden=None, source_image=None, notes=None))
    assert set(told) == {"measured", "runs", "app", "runtime", "threads", "weights"}


def test_state_of_the_phone_is_told_over_all_runs() -> None:
    cool = Conditions(0.81, True, False, "nominal", "fair", "NONE", 30.6, True)
    warm = Conditions(0.44, False, False, "fair", "serious", "LIGHT", 38.2, True)
    told = describe(run(conditions=warm), run(conditions=cool), run())
    assert told["power"] == "battery 44 to 81 %, charging in 1 of 2 runs, low-power mode in 0 of 2 runs"
    assert told["heat"] == "nominal to fair at the start, fair to serious at the end, battery at 31 to 38 °C"


def test_days_runs_and_modes_are_counted() -> None:
    later = run(started_at="2031-02-03T10:00:00Z", mode="sustained")
    told = describe(run(started_at="2030-12-31T23:00:00-08:00"), later, later)
    assert told["measured"] == "2030-12-31 to 2031-02-03"
    assert told["runs"] == f"1 burst, 2 sustained; {3 * RUN.inference_ns.size} samples"


def test_notes_are_told_once_and_the_first_of_many() -> None:
    told = describe(*(run(notes=f"note {number % 7}") for number in range(20)))
    assert told["notes"] == "note 0; note 1; note 2; note 3; note 4 and 2 more"


def test_text_of_a_phone_cannot_act() -> None:
    assert "\x1b" not in describe(run(notes="\x1b[2J"))["notes"]


def test_runs_that_are_kept_apart_are_counted_once_for_each_reason() -> None:
    hot = dataclasses.replace(UNKNOWN, thermal_before="critical")
    failed = dataclasses.replace(RUN.golden, passed=False)  # type: ignore[type-var]
    runs = run(), run(mode="sustained"), run(conditions=hot), run(mode="cold", golden=failed), run(golden=failed)
    groups = analyze_runs(collect_runs((Path("runs.jsonl"),), runs, (), 0)).groups
    assert describe_kept_apart(groups) == "golden image failed (2), hot at the start (1)"
    assert describe_kept_apart(analyze_runs(collect_runs((), (run(),), (), 0)).groups) == ""


def test_coverage_of_few_runs_stands_beside_their_intervals_alone() -> None:
    def told(*counts: int) -> str:
        variants = [dataclasses.replace(RUN.bundle, variant_id=f"{count:064x}") for count in counts]
        runs = tuple(run(bundle=bundle) for count, bundle in zip(counts, variants, strict=True) for _ in range(count))
        runs = tuple(dataclasses.replace(each, run_id=f"{place:032x}") for place, each in enumerate(runs))
        return describe_coverage(table_rows(analyze_runs(collect_runs((), runs, (), 0)).groups))

    assert told(1, 2, 10) == ""
    assert told(5, 3, 10) == (
        "Simulated intervals held the true median in 89 to 95 % (3 runs), 95 to 96 % (5 runs) of cases"
    )
