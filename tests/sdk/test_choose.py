import dataclasses
import json
import uuid
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from mobisdk.cli.app import app
from mobisdk.latency.choose import estimate_size_mb
from mobisdk.latency.log import append_run, parse_run
from mobisdk.latency.observations import read_latency_table
from mobisdk.latency.record import durations
from mobisdk.specs import ModelSpec

TABLE = Path(__file__).with_name("latency_table.csv")
RUN = parse_run((Path(__file__).parents[1] / "contract/latency/good.jsonl").read_bytes().splitlines()[0])
ACCURACY = """arch,alpha,resolution,accuracy
mobilenet_v1,1.0,224,70.6
mobilenet_v1,0.75,224,68.4
mobilenet_v1,0.5,224,63.7
mobilenet_v1,0.25,224,50.6
mobilenet_v1,1.0,128,64.4
mobilenet_v1,0.5,160,60.2
"""


def choose(*arguments: object) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, ["choose", *map(str, arguments)])
    return result.exit_code, result.stdout, result.stderr


def fill(log: Path, factor: float = 1.0, *, tail: float = 1.0, mode: str = "burst", **changes: Any) -> None:
    """Five runs of each MobileNetV1, `factor` times as slow as in the table; the last samples `tail` times that."""
    for number, observation in enumerate(read_latency_table(TABLE)):
        spec = observation.spec
        if spec.arch != "mobilenet_v1":
            continue
        recipe = changes.get("recipe", RUN.bundle.recipe)
        bundle = dataclasses.replace(
            RUN.bundle, arch=spec.arch, alpha=spec.alpha, resolution=spec.resolution, spec=dataclasses.asdict(spec),
            variant_id=f"{number:032x}{sum(recipe.encode()):032x}", recipe=recipe,
        )  # fmt: skip
        device = dataclasses.replace(RUN.device, model=changes.get("model", RUN.device.model))
        ns = np.full(20, observation.latency_ms * 1e6 * factor)
        ns[-3:] *= tail
        for _ in range(5):
            samples = durations(ns.round().astype(int).tolist())
            append_run(
                log,
                dataclasses.replace(
                    RUN, run_id=str(uuid.uuid4()), bundle=bundle, device=device, inference_ns=samples, mode=mode,
                    sample_at_ns=durations(range(20)), preprocess_ns=durations([]), postprocess_ns=durations([]),
                ),
            )  # fmt: skip


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    log, accuracy = tmp_path / "latency.jsonl", tmp_path / "accuracy.csv"
    fill(log)
    accuracy.write_text(ACCURACY)
    return log, accuracy


def winner(files: tuple[Path, Path], *arguments: object) -> dict[str, Any]:
    log, accuracy = files
    _, out, _ = choose("--logs", log, "--accuracy", accuracy, "--json", *arguments)
    found: dict[str, Any] = json.loads(out)
    return found


def test_most_accurate_that_fits_wins(files: tuple[Path, Path]) -> None:
    document = winner(files, "--device", "pixel", "--max-latency-ms", 6)
    best = document["winner"]
    assert (best["alpha"], best["resolution"]) == (0.75, 224)
    assert (best["accuracy"], best["accuracy_is_interpolated"]) == (0.684, False)
    assert best["latencies"][0]["source"] == "measured"
    assert best["latency_ms"] == pytest.approx(5.7542, rel=1e-6)
    front = document["pareto_front"]
    for slower, faster in zip(front[1:], front, strict=False):
        assert slower["latency_ms"] > faster["latency_ms"]
        assert slower["accuracy"] > faster["accuracy"]
    assert all(each["accuracy"] <= best["accuracy"] for each in document["runners_up"])


def test_network_nobody_ran_may_win_with_its_interval_and_is_to_be_measured(files: tuple[Path, Path]) -> None:
    document = winner(files, "--device", "pixel", "--max-latency-ms", 9)
    best = document["winner"]
    assert 0.75 < best["alpha"] < 1.0
    assert best["accuracy_is_interpolated"] is True
    latency = best["latencies"][0]
    assert latency["source"] == "predicted"
    assert latency["low_ms"] < latency["latency_ms"] <= 9
    assert 1 <= len(document["to_measure"]) <= 2
    assert document["to_measure"][0]["alpha"] == best["alpha"]
    assert "--untrained" in document["to_measure"][0]["commands"][0]


def test_commands_that_come_next_can_be_typed(files: tuple[Path, Path]) -> None:
    log, accuracy = files
    status, out, _ = choose("--logs", log, "--accuracy", accuracy, "--device", "pixel", "--max-latency-ms", 6)
    assert status == 0
    assert "  mobisdk train --data DATA --arch mobilenet_v1 --alpha 0.75 --resolution 224\n" in out
    assert (
        "  mobisdk export --target android --arch mobilenet_v1 --alpha 0.75 --resolution 224 --recipe xnnpack_fp32\n"
        in out
    )


def test_size_and_accuracy_are_budgets_too(files: tuple[Path, Path]) -> None:
    small = winner(files, "--device", "pixel", "--max-latency-ms", 100, "--max-size-mb", 6)["winner"]
    assert small["size_mb"] <= 6
    assert small["alpha"] == pytest.approx(0.5, abs=0.06)
    document = winner(files, "--device", "pixel", "--max-latency-ms", 2, "--min-accuracy", 70)
    assert document["winner"] is None


def test_budget_that_nothing_meets_names_the_nearest_and_what_it_lacks(files: tuple[Path, Path]) -> None:
    log, accuracy = files
    arguments = ("--logs", log, "--accuracy", accuracy, "--device", "pixel", "--max-latency-ms", 1)
    status, out, _ = choose(*arguments)
    text = " ".join(out.split())
    assert status == 1
    assert "Nothing fits this budget. Nearest is mobilenet_v1-a0.25-r224 as xnnpack_fp32: 1.13 ms on" in text
    assert "0.129 too many" in text
    status, out, _ = choose(*arguments, "--json")
    assert status == 1
    assert json.loads(out)["nearest"]["lacks"]


def test_percentile_is_that_of_the_samples_and_of_its_ratio_elsewhere(tmp_path: Path) -> None:
    log, accuracy = tmp_path / "latency.jsonl", tmp_path / "accuracy.csv"
    fill(log, tail=2.0)
    accuracy.write_text(ACCURACY)
    median = winner((log, accuracy), "--device", "pixel", "--max-latency-ms", 6)["winner"]
    tail = winner((log, accuracy), "--device", "pixel", "--max-latency-ms", 6, "--percentile", 95)["winner"]
    assert (median["alpha"], median["resolution"]) == (0.75, 224)
    assert tail["accuracy"] < median["accuracy"]
    wide = winner((log, accuracy), "--device", "pixel", "--max-latency-ms", 18, "--percentile", 95)["winner"]
    assert wide["latency_ms"] <= 18


def test_one_network_for_all_devices_or_one_each(tmp_path: Path) -> None:
    log, accuracy = tmp_path / "latency.jsonl", tmp_path / "accuracy.csv"
    fill(log)
    fill(log, 3.0, model="Slow One")
    accuracy.write_text(ACCURACY)
    both = ("--device", "pixel", "--device", "slow", "--max-latency-ms", 6)
    shared = winner((log, accuracy), *both)["winner"]
    assert len(shared["latencies"]) == 2
    assert max(latency["latency_ms"] for latency in shared["latencies"]) <= 6
    each = winner((log, accuracy), *both, "--each")["choices"]
    assert each[0]["winner"]["alpha"] == 0.75
    assert each[1]["winner"]["accuracy"] == pytest.approx(shared["accuracy"])
    assert each[0]["winner"]["accuracy"] > each[1]["winner"]["accuracy"]


def test_recipe_has_its_own_accuracy_and_is_left_out_without(tmp_path: Path) -> None:
    log, accuracy = tmp_path / "latency.jsonl", tmp_path / "accuracy.csv"
    fill(log)
    fill(log, 0.4, recipe="xnnpack_int8")
    accuracy.write_text(ACCURACY)
    document = winner((log, accuracy), "--device", "pixel", "--max-latency-ms", 6)
    assert document["winner"]["recipe"] == "xnnpack_fp32"
    assert document["unknown_recipes"] == ["xnnpack_int8"]
    rows = ACCURACY.splitlines()
    own = [f"{row},xnnpack_int8" for row in rows[1:]]
    accuracy.write_text("\n".join([f"{rows[0]},recipe", *(f"{row}," for row in rows[1:]), *own]))
    best = winner((log, accuracy), "--device", "pixel", "--max-latency-ms", 6)["winner"]
    assert (best["recipe"], best["alpha"], best["resolution"]) == ("xnnpack_int8", 1.0, 224)


def test_sustained_budget_takes_the_later_half_of_sustained_runs(tmp_path: Path) -> None:
    log, accuracy = tmp_path / "latency.jsonl", tmp_path / "accuracy.csv"
    fill(log, 0.5)
    fill(log, 1.0, tail=1.0, mode="sustained")
    accuracy.write_text(ACCURACY)
    burst = winner((log, accuracy), "--device", "pixel", "--max-latency-ms", 5)["winner"]
    hot = winner((log, accuracy), "--device", "pixel", "--max-latency-ms", 5, "--sustained")["winner"]
    assert (burst["alpha"], burst["resolution"]) == (1.0, 224)
    assert hot["accuracy"] < burst["accuracy"]


def test_workspace_without_a_training_says_what_is_missing(tmp_path: Path) -> None:
    fill(tmp_path / "latency.jsonl")
    status, out, err = choose(
        "--logs", tmp_path, "--device", "pixel", "--max-latency-ms", 6, "--runs", tmp_path / "runs"
    )
    assert (status, out) == (1, "")
    assert "how accurate these networks are is not known" in err


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("--device", "iphone", "--max-latency-ms", 6), "--device fits no device"),
        (("--device", "pixel", "--max-latency-ms", 0), "max_latency_ms is wrong"),
        (("--device", "pixel", "--max-latency-ms", "nan"), "max_latency_ms is wrong"),
        (("--device", "pixel", "--max-latency-ms", 6, "--percentile", 100), "percentile is wrong"),
        (("--device", "pixel", "--max-latency-ms", 6, "--max-size-mb", -1), "max_size_mb is wrong"),
        (("--device", "pixel", "--max-latency-ms", 6, "--threads", 7), "--threads must be a count"),
        (("--device", "pixel", "--max-latency-ms", 6, "--chart", "front.pdf"), "--chart must name a picture"),
        (("--device", "pixel", "--max-latency-ms", 6, "--recipe", "coreml_fp16"), "nothing like this was measured"),
    ],
)
def test_wrong_question_is_an_error_of_one_line(
    files: tuple[Path, Path], arguments: tuple[object, ...], reason: str
) -> None:
    log, accuracy = files
    status, out, err = choose("--logs", log, "--accuracy", accuracy, *arguments)
    assert (status, out) == (1, "")
    assert reason in err
    assert err.count("\n") == 1


def test_chart_has_the_budget_and_the_winner(files: tuple[Path, Path], tmp_path: Path) -> None:
    log, accuracy = files
    chart = tmp_path / "front.svg"
    choose("--logs", log, "--accuracy", accuracy, "--device", "pixel", "--max-latency-ms", 6, "--chart", chart)
    assert "mobilenet_v1-a0.75-r224 xnnpack_fp32" in chart.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("recipe", "bits"), [("xnnpack_fp32", 32), ("coreml_fp16", 16), ("coreml_palette_6bit", 6), ("xnnpack_int8", 8)]
)
def test_size_is_that_of_folded_weights(recipe: str, bits: int) -> None:
    # 4,231,976 parameters of the paper's network, 10,944 channels whose norm's two numbers become one bias
    folded = 4_231_976 - 10_944
    assert estimate_size_mb(ModelSpec(), recipe) == pytest.approx(folded * bits / 8 / 1e6)
