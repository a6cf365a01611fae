import dataclasses
from pathlib import Path
from typing import Any

from mobisdk.latency.in_memory import analyze_runs
from mobisdk.latency.log import parse_run
from mobisdk.latency.record import LatencyRun
from mobisdk.latency.store import collect_runs
from mobisdk.report.labels import Row, dials_labels, network_labels, runtime_label, table_rows, threads_label
from mobisdk.report.panels import part_by_mode, part_by_network, part_by_recipe, part_by_setting

RUN = parse_run((Path(__file__).parents[1] / "contract/latency/good.jsonl").read_bytes().splitlines()[0])


def run(variant: int, *, threads: int | None = 4, mode: Any = "burst", **bundle: Any) -> LatencyRun:
    return dataclasses.replace(
        RUN,
        mode=mode,
        bundle=dataclasses.replace(RUN.bundle, variant_id=f"{variant:064x}", **bundle),
        runtime=dataclasses.replace(RUN.runtime, threads=threads),
    )


def rows(*runs: LatencyRun) -> tuple[Row, ...]:
    return table_rows(analyze_runs(collect_runs((Path("runs.jsonl"),), runs, (), 0)).groups)


def test_rows_are_a_group_and_mode_and_a_group_that_only_started_cold_has_one() -> None:
    found = rows(run(1), run(1, mode="sustained"), run(2, mode="cold"))
    assert [(group.bundle.variant_id[-1], warm and warm.mode) for group, warm in found] == [
        ("1", "burst"),
        ("1", "sustained"),
        ("2", None),
    ]


def test_panels_are_told_apart_by_what_differs_and_by_nothing_else() -> None:
    found = rows(run(1), run(2, recipe="xnnpack_int8"), run(1, threads=1), run(1, mode="sustained"))
    assert [(panel.heading, len(panel.rows)) for panel in part_by_setting(found)] == [
        ("xnnpack_fp32, 1 thread, burst", 1),
        ("xnnpack_fp32, 4 threads, burst", 1),
        ("xnnpack_fp32, 4 threads, sustained", 1),
        ("xnnpack_int8, 4 threads, burst", 1),
    ]
    assert [panel.heading for panel in part_by_mode(found)] == ["burst", "sustained"]
    assert [(panel.heading, len(panel.rows)) for panel in part_by_recipe(found)] == [
        ("xnnpack_fp32, 1 thread", 1),
        ("xnnpack_fp32, 4 threads", 2),
        ("xnnpack_int8, 4 threads", 1),
    ]


def test_panel_that_is_alone_needs_no_heading() -> None:
    (panel,) = part_by_setting(rows(run(1, alpha=0.25), run(2, alpha=1.0)))
    assert (panel.heading, len(panel.rows)) == ("", 2)


def test_networks_of_different_classes_are_of_different_panels() -> None:
    spec = {"arch": "mobilenet_v1", "alpha": 0.5, "resolution": 160, "num_classes": 1000}
    found = rows(run(1, spec=spec), run(2, spec=spec | {"alpha": 0.25}), run(3, spec=spec | {"num_classes": 10}))
    assert [(panel.heading, len(panel.rows)) for panel in part_by_network(found)] == [
        ("num_classes 1000", 2),
        ("num_classes 10", 1),
    ]
    assert len(part_by_setting(found)) == 1


def test_networks_that_would_look_the_same_have_their_variants_digits() -> None:
    found = rows(run(1, alpha=0.25), run(2), run(3), run(3, mode="sustained"))
    assert network_labels(found) == [
        "mobilenet_v1 0.25 at 160",
        "mobilenet_v1 0.5 at 160 (00000000)",
        "mobilenet_v1 0.5 at 160 (00000000)",
        "mobilenet_v1 0.5 at 160 (00000000)",
    ]
    assert dials_labels(found)[0] == "0.25 at 160"


def test_networks_in_two_modes_are_no_twins_of_themselves() -> None:
    assert network_labels(rows(run(1), run(1, mode="sustained"))) == ["mobilenet_v1 0.5 at 160"] * 2


def test_dials_alone_are_no_name_where_architectures_differ_or_are_not_known() -> None:
    assert dials_labels(rows(run(1, arch="a"), run(2, arch="b"))) == ["a 0.5 at 160", "b 0.5 at 160"]
    assert dials_labels(rows(run(1, arch=None, alpha=None))) == ["variant 00000000"]
    assert dials_labels(rows(run(1, alpha=None))) == ["mobilenet_v1 00000000"]


def test_runtime_and_threads_are_named_as_they_are_set() -> None:
    ((group, _),) = rows(run(1, threads=None))
    assert (runtime_label(group), threads_label(group)) == ("executorch 1.4.1, xnnpack", "auto threads")
    ((group, _),) = rows(run(1, threads=1))
    assert threads_label(group) == "1 thread"


def test_text_of_a_phone_cannot_act_in_a_label() -> None:
    found = rows(run(1, arch="\x1b[2J\u202e", recipe="\x00"), run(2, arch="\x1b[2J\u202e", recipe="b"))
    labels = [*network_labels(found), *dials_labels(found), *(panel.heading for panel in part_by_setting(found))]
    assert not {"\x1b", "\u202e", "\x00"} & set("".join(labels))
