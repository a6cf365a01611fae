import dataclasses
import json
import uuid
from pathlib import Path
from typing import Any

import pytest
from tests.sdk.test_runs import write_run
from typer.testing import CliRunner

from mobisdk.cli.models import models_app
from mobisdk.cost import count_spec_cost
from mobisdk.errors import ConfigError, DataError
from mobisdk.latency.log import append_run, parse_run
from mobisdk.latency.record import durations
from mobisdk.report.charts.networks import draw_networks, network_points
from mobisdk.specs import ModelSpec

RUN = parse_run((Path(__file__).parents[1] / "contract/latency/good.jsonl").read_bytes().splitlines()[0])
SPECS = [ModelSpec(arch, alpha=0.25, resolution=32, num_classes=10) for arch in ("mobilenet_v1", "lenet_5", "xception")]


def measure(log: Path, spec: ModelSpec, ms: float, **changes: Any) -> None:
    bundle = dataclasses.replace(
        RUN.bundle, arch=spec.arch, alpha=spec.alpha, resolution=spec.resolution, spec=dataclasses.asdict(spec),
        variant_id=uuid.uuid5(uuid.NAMESPACE_OID, spec.name).hex * 2, **changes,
    )  # fmt: skip
    for _ in range(3):
        append_run(
            log,
            dataclasses.replace(
                RUN, run_id=str(uuid.uuid4()), bundle=bundle, inference_ns=durations([int(ms * 1e6)] * 20),
                sample_at_ns=durations(range(20)), preprocess_ns=durations([]), postprocess_ns=durations([]),
            ),
        )  # fmt: skip


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for day, spec in enumerate(SPECS, start=1):
        write_run(tmp_path / "runs", spec.arch, spec, day)
    for ms, spec in enumerate(SPECS[:2], start=1):
        measure(tmp_path / "latency.jsonl", spec, float(ms))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def chart(*arguments: object) -> tuple[dict[str, Any], str]:
    result = CliRunner().invoke(models_app, ["chart", *map(str, arguments), "--json"], catch_exceptions=False)
    assert result.exit_code == 0
    return json.loads(result.stdout), result.stderr


def test_accuracy_stands_against_the_latency_of_the_log(workspace: Path) -> None:
    document, told = chart("zoo.svg")

    assert [(point["network"], point["cost"]) for point in document["networks"]] == [
        ("mobilenet_v1", 1),
        ("lenet_5", 2),
    ]
    assert document["networks"][0]["share"] == pytest.approx(100 * 350 / 359, rel=1e-3)
    assert document["networks"][0]["low"] < document["networks"][0]["share"] < document["networks"][0]["high"]
    assert "1 of 3 trained networks were not measured" in told
    drawn = (workspace / "zoo.svg").read_text()
    assert drawn.startswith("<svg")
    assert all(word in drawn for word in ("mobilenet_v1", "lenet_5", "median latency (ms)", "accuracy (%)"))


@pytest.mark.parametrize("against", ["macs", "size"])
def test_accuracy_stands_against_what_is_counted(workspace: Path, against: str) -> None:
    document, _ = chart("zoo.png", "--against", against)

    costs = {point["network"]: point["cost"] for point in document["networks"]}
    for spec in SPECS:
        cost = count_spec_cost(spec)
        counted = cost.macs if against == "macs" else cost.size_bytes
        assert costs[spec.arch] == pytest.approx(counted / 1e6, rel=1e-4)
    assert (workspace / "zoo.png").read_bytes().startswith(b"\x89PNG")


def test_page_holds_all_that_it_needs(workspace: Path) -> None:
    chart("zoo.html", "--against", "macs")

    page = (workspace / "zoo.html").read_text()
    assert "xception" in page
    assert "vegaEmbed=" in page
    assert '<script src="' not in page
    assert "<link" not in page


@pytest.mark.parametrize(
    ("arguments", "error", "sentence"),
    [
        (["zoo.pdf"], ConfigError, r"got 'zoo\.pdf'; allowed: \.svg, \.png, \.html"),
        (["nowhere/zoo.svg"], ConfigError, "a folder that is there"),
        (["zoo.svg", "--runs", "empty"], DataError, "how accurate these networks are is not known"),
        (["zoo.svg", "--recipe", "coreml_fp16"], DataError, "--recipe must name one that was measured"),
        (["zoo.svg", "--logs", "other.jsonl"], DataError, "no trained network was measured.*--against macs"),
    ],
)
def test_what_cannot_be_drawn_is_refused(
    workspace: Path, arguments: list[str], error: type[Exception], sentence: str
) -> None:
    measure(workspace / "other.jsonl", ModelSpec("mobilenet_v2"), 1.0)

    with pytest.raises(error, match=sentence):
        CliRunner().invoke(models_app, ["chart", *arguments], catch_exceptions=False)

    assert not (workspace / "zoo.svg").exists()


def test_front_is_of_networks_that_none_beats() -> None:
    networks = [("slow", 3.0, 0.6, 0.5, 0.7), ("fast", 1.0, 0.5, 0.4, 0.6), ("both", 2.0, 0.5, 0.4, 0.6)]

    best = {point["network"]: point["is_best"] for point in network_points(networks)}

    assert best == {"fast": True, "both": False, "slow": True}


def test_names_do_not_cover_each_other() -> None:
    networks = [(f"a_network_of_some_length_{place}", 1 + place / 500, 0.5, 0.4, 0.6) for place in range(40)]

    drawn = draw_networks(network_points(networks), "latency")

    names = [layer for layer in drawn["layer"] if layer["mark"]["type"] == "text"]
    assert 1 <= len(names) < len(networks)
