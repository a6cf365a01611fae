"""A bundle against the network it was made from: on images, layer by layer, and on a Mac by Core ML too."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from mobiconvert import classifiers, convert, find_recipe
from mobiconvert.conversion import PARITY_IMAGES
from mobiconvert.lowered_again import measure_program_layers
from mobisdk.bundle import Bundle
from mobisdk.cli.app import app
from mobisdk.cli.networks import create_untrained_network
from mobisdk.data.photographs import photograph_crops
from mobisdk.errors import UnsupportedError
from mobisdk.specs import ModelSpec

SPEC = ModelSpec(alpha=0.25, resolution=32, num_classes=10)


def run(*arguments: object) -> Any:
    return CliRunner().invoke(app, ["verify", *map(str, arguments)])


def checks_of(*arguments: object) -> dict[str, Any]:
    result = run(*arguments, "--json")
    assert result.exit_code == 0, result.output
    (document,) = json.loads(result.stdout)["bundles"]
    return {check["name"]: check for check in document["checks"]}


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Bundle]:
    folder = tmp_path_factory.mktemp("bundles")
    network = create_untrained_network(SPEC)
    return {
        name: convert(
            network.module,
            network.input,
            find_recipe(name, platform),
            folder,
            weights=network.weights,
            model_spec=network.spec,
            labels=[str(digit) for digit in range(10)],
        )
        for name, platform in (
            ("coreml_palette_4bit", "ios"),
            ("coreml_fp32", "ios"),
            ("coreml_fp16", "ios"),
            ("xnnpack_fp32", "android"),
            ("xnnpack_int8", "android"),
        )
    }


# --- layer by layer -------------------------------------------------------------------------------------------------


def test_layers_of_a_palette_fall_where_weights_are_compressed(bundles: dict[str, Bundle]) -> None:
    check = checks_of(bundles["coreml_palette_4bit"].path, "--layers", "--limit", 4)["layers"]
    layers = check["figures"]["layers"]
    assert check["ok"]
    assert check["figures"]["images"] == 4
    assert [layer["layer"] for layer in layers[:2]] == ["stem.conv", "blocks.0.depthwise.conv"]
    assert len(layers) == 28
    levels = {layer["layer"]: layer["sqnr_db"] for layer in layers}
    # Layers of less than 2,048 weights stay in float16, and so does what comes before the first of the others.
    first = next(place for place, layer in enumerate(layers) if layer["fall_db"] > 20)
    assert layers[first]["layer"] == "blocks.3.pointwise.conv"  # 64 × 32 weights
    assert min(layer["sqnr_db"] for layer in layers[:first]) > 45
    assert max(layer["sqnr_db"] for layer in layers[first:]) < 30
    assert layers[first]["fall_db"] == pytest.approx(levels["blocks.3.depthwise.conv"] - layers[first]["sqnr_db"])
    assert "the steepest fall is at blocks.3.pointwise.conv" in check["found"]


def test_layers_when_images_are_named_then_are_measured_on_those(bundles: dict[str, Bundle]) -> None:
    checks = checks_of(bundles["coreml_fp32"].path, "--layers", "--images", "digits", "--limit", 5)
    assert "5 held-out images of digits" in checks["layers"]["found"]
    assert checks["layers"]["figures"]["image_set_sha256"] == checks["network"]["figures"]["image_set_sha256"]
    assert min(layer["sqnr_db"] for layer in checks["layers"]["figures"]["layers"]) > 80


def test_layers_are_a_table_and_a_picture(bundles: dict[str, Bundle], tmp_path: Path) -> None:
    result = run(bundles["coreml_fp16"].path, "--layers", "--limit", 2, "--chart", tmp_path / "layers.svg")
    assert result.exit_code == 0, result.output
    assert "SQNR dB" in result.stdout
    for name in ("stem.conv", "blocks.12.pointwise.conv", "classifier"):
        assert name in result.stdout
        assert name in (tmp_path / "layers.svg").read_text(encoding="utf-8")
    assert (tmp_path / "layers.svg").read_text(encoding="utf-8").count("#d55e00") >= 3


def test_layers_of_a_program_are_those_of_the_graph_that_lowers_to_it(
    bundles: dict[str, Bundle], tmp_path: Path
) -> None:
    bundle = bundles["xnnpack_int8"]
    check = checks_of(bundle.path, "--layers", "--limit", PARITY_IMAGES, "--chart", tmp_path / "layers.html")["layers"]
    layers = check["figures"]["layers"]
    assert [layer["layer"] for layer in layers[:2]] == ["stem.conv", "blocks.0.depthwise.conv"]
    assert len(layers) == 28
    assert "in the graph that lowers to this very program" in check["found"]
    # The last layer is the network's output, which ExecuTorch's runtime computed when the bundle was made; it rounds
    # that once more.
    assert layers[-1]["sqnr_db"] == pytest.approx(bundle.manifest["parity"]["sqnr_db"], abs=1.5)
    page = (tmp_path / "layers.html").read_text(encoding="utf-8")
    assert "28. classifier" in page
    assert "https://cdn" not in page


def test_layers_when_lowering_gives_another_program_then_none_are_claimed(bundles: dict[str, Bundle]) -> None:
    bundle = bundles["xnnpack_int8"]
    network = create_untrained_network(SPEC)
    crops = photograph_crops(PARITY_IMAGES, bundle.input)
    with pytest.raises(UnsupportedError, match="gives another program, whose layers are not this bundle's"):
        measure_program_layers(bundle, network.module, crops[:1], crops[:1])


def test_layers_when_the_calibration_images_are_not_here_then_says_so(
    bundles: dict[str, Bundle], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mobiconvert.conversion.PARITY_IMAGES", 3)
    check = checks_of(bundles["xnnpack_int8"].path, "--layers")["layers"]
    assert check["ok"] is None
    assert "are needed, and not here" in check["found"]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--chart", "c.png"], "draws the layers of one bundle"),
        (["--layers", "--chart", "c.pdf"], "must name a picture or a page"),
        (["--layers", "--chart", "nowhere/c.png"], "in a folder"),
        (["another", "--layers", "--chart", "c.png"], "of one bundle"),
        (["--checkpoint", "c.safetensors"], "Add --images DATA or --layers"),
    ],
)
def test_options_that_do_not_fit_are_refused_before_anything_is_run(options: list[str], sentence: str) -> None:
    result = run("bundle", *options)
    assert result.exit_code == 1
    assert sentence in result.stderr
    assert result.stdout == ""


def test_float32_is_known_to_leave_the_neural_engine(bundles: dict[str, Bundle]) -> None:
    check = checks_of(bundles["coreml_fp32"].path)["Neural Engine"]
    assert {leaving["op"]: leaving["count"] for leaving in check["figures"]["leaves"]} == {"conv": 27, "linear": 1}
    assert "float16" in check["found"]
    assert checks_of(bundles["coreml_fp16"].path)["Neural Engine"]["figures"] == {"leaves": []}
    assert "Neural Engine" not in checks_of(bundles["xnnpack_fp32"].path)


# --- on images ------------------------------------------------------------------------------------------------------


def test_agreement_is_a_table_with_the_image_sets_hash(bundles: dict[str, Bundle]) -> None:
    arguments = (bundles["coreml_fp32"].path, "--images", "digits", "--limit", 20)
    figures = checks_of(*arguments)["network"]["figures"]
    result = run(*arguments)
    assert figures["output"] == "logits"
    assert figures["top1_agreement"] == 1.0
    assert figures["relative_error"] <= 1e-4
    assert len(figures["image_set_sha256"]) == 64
    for words in ("top-1 agrees", "SQNR dB", "max error", figures["image_set_sha256"][:12], "at most 0.0001"):
        assert words in result.stdout


class Shifted:
    """Right on the golden photograph, and off by `error` of its scale on every other image."""

    def __init__(self, bundle: Bundle, error: float) -> None:
        self.real, self.golden, self.error = classifiers.load_classifier(bundle), bundle.golden_input(), error

    def load(self) -> None:
        self.real.load()

    def prepare(self, image: Any) -> Any:
        return self.real.prepare(image), np.array_equal(image, self.golden)

    def forward(self, prepared: Any) -> Any:
        planes, is_golden = prepared
        logits = self.real.forward(planes)
        return logits if is_golden else logits + self.error * np.abs(logits).max()

    def close(self) -> None:
        self.real.close()


@pytest.mark.parametrize(("error", "status"), [(0.0, 0), (0.01, 1)])
def test_a_tolerance_that_is_broken_is_exit_status_1(
    error: float, status: int, bundles: dict[str, Bundle], monkeypatch: pytest.MonkeyPatch
) -> None:
    from mobisdk.cli import against_network

    compare = against_network.compare_with_network
    monkeypatch.setattr(
        against_network,
        "compare_with_network",
        lambda bundle, network, source, limit, _: compare(
            bundle, network, source, limit, lambda each: Shifted(each, error)
        ),
    )
    result = run(bundles["coreml_fp32"].path, "--images", "digits", "--limit", 10)
    assert result.exit_code == status
    assert ("FAIL network" in result.stdout) == bool(status)


def test_on_a_mac_core_ml_itself_is_shown_beside_the_evaluator(
    bundles: dict[str, Bundle], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(classifiers, "load_coreml_classifier", lambda bundle: Shifted(bundle, 0.0))
    monkeypatch.setattr("sys.platform", "darwin")
    checks = checks_of(bundles["coreml_fp32"].path, "--images", "digits", "--limit", 10)
    names = ["golden under Core ML itself", "network", "network under Core ML itself"]
    assert [name for name in checks if name in names] == names
    assert checks["network"]["figures"] == checks["network under Core ML itself"]["figures"]
    assert "Core ML" not in "".join(checks_of(bundles["xnnpack_fp32"].path))
