import dataclasses
import json
import uuid
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from mobisdk.cli.app import app
from mobisdk.latency.design import choose_to_measure
from mobisdk.latency.log import append_run, parse_run
from mobisdk.latency.observations import Observation, Setting, read_latency_table
from mobisdk.latency.predict import fit_model
from mobisdk.latency.record import durations
from mobisdk.specs import ModelSpec

TABLE = Path(__file__).with_name("latency_table.csv")
"""Medians of 24 networks on a computer of two cores, one thread: `mobisdk bench` of untrained bundles."""
SECOND_TABLE = Path(__file__).with_name("latency_table_v1_v2.csv")
"""The same of MobileNetV1 and V2 at four α and three ρ each, 20 runs, the computer left alone as far as it went."""
THIRD_TABLE = Path(__file__).with_name("latency_table_third.csv")
"""The same at other α and ρ, 14 or 15 runs; neither the model's constants nor the design were made with it."""
RUN = parse_run((Path(__file__).parents[1] / "contract/latency/good.jsonl").read_bytes().splitlines()[0])


def predict(*arguments: object) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, ["predict", *map(str, arguments)])
    return result.exit_code, result.stdout, result.stderr


def table(path: Path, *rows: str, header: str = "arch,alpha,resolution,latency_ms") -> Path:
    path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return path


@pytest.mark.parametrize("path", [TABLE, SECOND_TABLE, THIRD_TABLE])
def test_networks_measured_here_are_predicted_by_the_others(path: Path) -> None:
    status, out, _ = predict("--table", path, "--evaluate", "--json")
    document = json.loads(out)
    assert status == 0
    assert document["networks"] == len(document["rows"]) == 24
    assert document["mape_percent"] <= 5
    assert document["within_10_percent"] >= 95
    assert document["in_interval_percent"] >= 90


def test_eight_networks_that_the_design_chooses_predict_nine_in_ten_others_within_a_tenth() -> None:
    errors: dict[Path, list[float]] = {}
    for path in (TABLE, SECOND_TABLE, THIRD_TABLE):
        known = {o.spec: o for o in read_latency_table(path)}
        chosen = choose_to_measure(list(known), 8)
        model = fit_model(known[chosen[0]].setting, [known[spec] for spec in chosen])
        others = [spec for spec in known if spec not in chosen]
        predictions = model.predict_all(others)
        errors[path] = [p.latency_ms / known[p.spec].latency_ms - 1 for p in predictions]
    every = np.concatenate(list(errors.values()))
    assert every.size == 48
    for some in (every, np.array(errors[THIRD_TABLE])):
        assert np.mean(np.abs(some) <= 0.1) >= 0.9


def test_networks_to_measure_are_named_with_their_commands_before_anything_is_known() -> None:
    status, out, _ = predict("--arch", "mobilenet_v1,mobilenet_v2", "--measure", 8, "--json")
    assert status == 0
    networks = json.loads(out)["to_measure"]
    assert {network["arch"] for network in networks} == {"mobilenet_v1", "mobilenet_v2"}
    assert len({tuple(network.values()) for network in networks}) == 8
    lines = predict("--arch", "mobilenet_v1,mobilenet_v2", "--measure", 8, "--recipe", "coreml_fp16")[1].splitlines()
    first = networks[0]
    assert lines[0] == (
        f"mobisdk export --target ios --arch {first['arch']} --alpha {first['alpha']:g} "
        f"--resolution {first['resolution']} --untrained --recipe coreml_fp16"
    )
    status, _, err = predict("--measure", 36)
    assert (status, "allowed: 1 to 35" in err) == (1, True)


def test_figures_of_the_evaluation_are_those_of_its_rows() -> None:
    document = json.loads(predict("--table", TABLE, "--evaluate", "--json")[1])
    errors = np.array([row["latency_ms"] / row["measured_ms"] - 1 for row in document["rows"]])
    assert document["mape_percent"] == pytest.approx(100 * np.abs(errors).mean())
    assert document["within_10_percent"] == pytest.approx(100 * np.mean(np.abs(errors) <= 0.1))


def test_network_in_between_lies_in_between() -> None:
    status, out, _ = predict("--table", TABLE, "--alpha", 0.6, "--resolution", 176, "--json", "--device", "any")
    (prediction,) = json.loads(out)["predictions"]
    assert status == 0
    assert 1.46 < prediction["low_ms"] < prediction["latency_ms"] < prediction["high_ms"] < 5.75
    assert (prediction["extrapolated"], prediction["cautions"]) == (False, [])


@pytest.mark.parametrize(
    ("arguments", "caution"),
    [
        (("--alpha", 1.4), "α 1.4 is outside what was measured, 0.25 to 1"),
        (("--resolution", 320), "ρ 320 is outside what was measured, 96 to 224"),
    ],
)
def test_extrapolation_is_flagged(arguments: tuple[object, ...], caution: str) -> None:
    (prediction,) = json.loads(predict("--table", TABLE, *arguments, "--json")[1])["predictions"]
    assert prediction["extrapolated"] is True
    assert caution in prediction["cautions"][0]


def test_grid_is_a_table_and_a_chart(tmp_path: Path) -> None:
    chart = tmp_path / "surface.svg"
    status, out, err = predict("--table", TABLE, "--grid", "--chart", chart)
    assert (status, err) == (0, f"Chart: {chart}\n")
    assert "0.35" in out
    text = chart.read_text(encoding="utf-8")
    assert text.startswith("<svg")
    assert "var(" not in text
    document = json.loads(predict("--table", TABLE, "--grid", "--json")[1])
    by_dials = {(p["alpha"], p["resolution"]): p["latency_ms"] for p in document["predictions"]}
    assert len(by_dials) == 35
    assert f"{by_dials[0.25, 96]:.3g}" in text
    assert predict("--table", TABLE, "--grid", "--chart", tmp_path / "surface.pdf")[0] == 1


def test_architecture_that_was_not_measured_is_flagged(tmp_path: Path) -> None:
    rows = [line for line in TABLE.read_text().splitlines()[1:] if line.startswith("mobilenet_v1,")]
    path = table(tmp_path / "t.csv", *rows, header="arch,alpha,resolution,latency_ms,recipe")
    (prediction,) = json.loads(predict("--table", path, "--arch", "mobilenet_v1_shallow", "--json")[1])["predictions"]
    assert prediction["cautions"] == ["extrapolated: no mobilenet_v1_shallow was measured here"]


def test_device_with_few_runs_starts_from_the_others_and_says_so() -> None:
    known = read_latency_table(TABLE)
    fast = [dataclasses.replace(o, setting=Setting("Fast", "r"), latency_ms=o.latency_ms / 3) for o in known]
    slow = [dataclasses.replace(o, setting=Setting("Slow", "r"), latency_ms=o.latency_ms * 2) for o in known]
    new = Setting("New", "r")
    few = [Observation(new, ModelSpec(alpha=0.5, resolution=128), 1.037 * 1.2)]
    model = fit_model(new, [*fast, *slow, *few])
    prediction = model.predict(ModelSpec(alpha=1.0, resolution=160))
    assert model.prior_devices == ("Fast", "Slow")
    assert prediction.cautions[0] == (
        "only 1 network measured on this device; the rest is a prior from 2 other devices"
    )
    assert prediction.latency_ms == pytest.approx(5.0476 * 1.2, rel=0.25)
    alone = fit_model(new, few).predict(ModelSpec(alpha=1.0, resolution=160))
    assert alone.high_ms / alone.low_ms > prediction.high_ms / prediction.low_ms
    nothing = fit_model(new, [*fast, *slow]).predict(ModelSpec(alpha=1.0, resolution=160))
    assert nothing.cautions[0] == "prior from 2 other devices"
    assert nothing.low_ms < 5.05 < nothing.high_ms


def test_logs_are_learnt_from_and_a_device_is_named_by_a_part(tmp_path: Path) -> None:
    log = tmp_path / "latency.jsonl"
    for number, observation in enumerate(read_latency_table(TABLE)):
        spec = observation.spec
        bundle = dataclasses.replace(
            RUN.bundle, arch=spec.arch, alpha=spec.alpha, resolution=spec.resolution, spec=dataclasses.asdict(spec),
            variant_id=f"{number:064x}",
        )  # fmt: skip
        samples = durations([round(observation.latency_ms * 1e6)] * 3)
        append_run(log, dataclasses.replace(RUN, run_id=str(uuid.uuid4()), bundle=bundle, inference_ns=samples))
    status, out, _ = predict("--logs", log, "--device", "pixel 8", "--alpha", 0.6, "--resolution", 176, "--json")
    assert status == 0
    document = json.loads(out)
    assert document["measured_networks"] == 24
    assert document["setting"]["threads"] == 4
    from_table = json.loads(predict("--table", TABLE, "--alpha", 0.6, "--resolution", 176, "--json")[1])
    assert document["predictions"][0]["latency_ms"] == pytest.approx(
        from_table["predictions"][0]["latency_ms"], rel=1e-3
    )
    for options, reason in (
        (("--device", "iphone"), "--device fits no device, got 'iphone'; allowed: Google Pixel 8"),
        (("--recipe", "coreml_fp16"), "--recipe must name one that was measured"),
        (("--threads", 3), "--threads must be a count that was measured, got 3; allowed: 4"),
    ):
        status, out, err = predict("--logs", log, *options)
        assert (status, out) == (1, "")
        assert reason in err


@pytest.mark.parametrize(
    ("header", "rows", "reason"),
    [
        ("arch,alpha,resolution", ["mobilenet_v1,1,224"], "lacks the column latency_ms"),
        ("arch,alpha,resolution,latency_ms", [], "has no row below its header"),
        ("arch,alpha,resolution,latency_ms", ["mobilenet_v9,1,224,5"], "arch in line 2 of"),
        ("arch,alpha,resolution,latency_ms", ["mobilenet_v1,wide,224,5"], "alpha in line 2 of"),
        ("arch,alpha,resolution,latency_ms", ["mobilenet_v1,1,224,-5"], "latency_ms in line 2 of"),
        ("arch,alpha,resolution,latency_ms", ["mobilenet_v1,1,224,nan"], "is no number, got 'nan'"),
        ("arch,alpha,resolution,latency_ms", ["mobilenet_v1,1,224.5,5"], "whole pixels"),
        ("arch,alpha,resolution,latency_ms", ["mobilenet_v1,9,224,5"], "alpha must be a number"),
        ("arch,alpha,resolution,latency_ms", ["mobilenet_v1,1,224"], "has not a value for each column"),
        (
            "arch,alpha,resolution,latency_ms",
            ["mobilenet_v1,1,224,5", "mobilenet_v1,1.0,224,6"],
            "lines 2 and 3 of",
        ),
    ],
)
def test_table_that_is_wrong_is_an_error_of_one_line(tmp_path: Path, header: str, rows: list[str], reason: str) -> None:
    status, out, err = predict("--table", table(tmp_path / "t.csv", *rows, header=header), "--evaluate", "--json")
    assert (status, out) == (1, "")
    assert reason in err
    assert err.count("\n") == 1


def test_rows_that_agree_count_once(tmp_path: Path) -> None:
    rows = ["mobilenet_v1,1,224,5", "mobilenet_v1,1.0,224,5.0"]
    assert len(read_latency_table(table(tmp_path / "t.csv", *rows))) == 1


def test_file_that_is_no_table_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes(b"\xff\xfe\0")
    assert "is no CSV table" in predict("--table", tmp_path / "t.csv")[2]


def test_logs_without_a_known_network_are_an_error(tmp_path: Path) -> None:
    nothing: dict[str, Any] = dict.fromkeys(("spec", "arch", "alpha", "resolution"))
    append_run(tmp_path / "latency.jsonl", dataclasses.replace(RUN, bundle=dataclasses.replace(RUN.bundle, **nothing)))
    assert "no warm run of a known network" in predict("--logs", tmp_path)[2]
