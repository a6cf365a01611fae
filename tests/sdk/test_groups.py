import dataclasses
import itertools
from pathlib import Path

import narwhals as nw

from mobisdk.latency.analysis import reason_to_keep_apart
from mobisdk.latency.groups import describe_runs, rows_of_devices, rows_of_group
from mobisdk.latency.in_memory import analyze_runs
from mobisdk.latency.log import parse_run
from mobisdk.latency.record import Conditions, GoldenCheck, LatencyRun
from mobisdk.latency.store import collect_runs

LINES = (Path(__file__).parents[1] / "contract/latency/good.jsonl").read_bytes().splitlines()
RUN = parse_run(LINES[0])


def reasons_of(*runs: LatencyRun) -> list[str]:
    described = describe_runs(nw.from_native(collect_runs((), runs).table).lazy(), emulators=True)
    reasons: list[str] = described.collect("pyarrow").to_native()["reason"].to_pylist()
    return reasons


def test_reasons_of_columns_are_those_of_single_runs_that_the_lab_server_takes() -> None:
    golden = (None, GoldenCheck(True, 0.1, True), GoldenCheck(False, None, False))
    runs = [
        dataclasses.replace(
            RUN, golden=check, conditions=Conditions(level, charging, saving, heat, None, None, None, front)
        )
        for check, level, charging, saving, heat, front in itertools.product(
            golden, (None, 0.1, 0.9), (None, True, False), (None, True, False), (None, "fair", "serious", "critical"),
            (None, True, False),
        )
    ]  # fmt: skip
    reasons = reasons_of(*runs)
    assert reasons == [reason_to_keep_apart(run) or "" for run in runs]
    assert len(set(reasons)) == 6


def test_rows_are_found_again_by_device_and_group_whatever_memory_the_kernel_leaves() -> None:
    other = dataclasses.replace(RUN.device, soc=None)
    fewer = dataclasses.replace(RUN.device, memory_bytes=1)
    threads = dataclasses.replace(RUN.runtime, threads=None)
    runs = [
        dataclasses.replace(RUN, run_index=0),
        dataclasses.replace(RUN, run_index=1, device=fewer),
        dataclasses.replace(RUN, run_index=2, device=other),
        dataclasses.replace(RUN, run_index=3, runtime=threads),
    ]
    logs = collect_runs((), runs)
    found = rows_of_devices(logs.table, [RUN.device])
    assert found["run_index"].to_pylist() == [0, 1, 3]
    assert rows_of_devices(logs.table, [other])["run_index"].to_pylist() == [2]
    groups = analyze_runs(logs).groups
    assert sorted(rows_of_group(found, group)["run_index"].to_pylist() for group in groups) == [[0, 1], [0, 1], [3]]
