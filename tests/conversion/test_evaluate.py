"""A trained network, its artefacts on every held-out digit, and `mobisdk evaluate` as a person types it."""

import dataclasses
import io
import json
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
import typer
from click.testing import Result
from numpy.typing import NDArray
from PIL import Image
from sklearn.metrics import confusion_matrix
from torch import nn
from typer.testing import CliRunner

from mobiconvert import RECIPES, WeightsOrigin, convert, find_recipe, load_classifier
from mobiconvert.parity import measure_parity
from mobisdk.accuracy import Evaluation
from mobisdk.bundle import Bundle, pack_bundle
from mobisdk.cli.calibration import load_calibration
from mobisdk.cli.evaluate import Split, evaluate, evaluate_bundle
from mobisdk.cli.networks import Network, convert_network, load_trained_network
from mobisdk.data import Dataset, DecodedImages, ImageRef, decode_images, open_dataset
from mobisdk.errors import BundleError, ConfigError, DataError, MobiError
from mobisdk.specs import InputSpec, ModelSpec
from mobisdk.training import TrainSpec, train

SPEC = ModelSpec(alpha=0.25, resolution=32, stem_stride=1)
CHECKED = ("xnnpack_fp32", "coreml_fp32", "coreml_fp16")

program = typer.Typer()
program.command()(evaluate)


def type_evaluate(*arguments: object) -> Result:
    return CliRunner().invoke(program, [*map(str, arguments)])


@pytest.fixture(scope="module")
def digits() -> Dataset:
    return open_dataset("digits")


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Network:
    """Trained the usual way, for half the usual time: a quarter of a minute."""
    run = train(TrainSpec(SPEC, data="digits", epochs=8), runs=tmp_path_factory.mktemp("runs"))
    return load_trained_network(run.checkpoint, {})


@pytest.fixture(scope="module")
def held_out(network: Network, digits: Dataset) -> DecodedImages:
    return decode_images(digits.test, network.input, cache=Path())


@pytest.fixture(scope="module")
def eager(network: Network, held_out: DecodedImages) -> NDArray[np.float32]:
    """The network's own logits (N, 10), normalization written out."""
    assert network.input.mean == network.input.std == (0.5, 0.5, 0.5)
    images = torch.from_numpy(held_out.pixels).permute(0, 3, 1, 2).float() / 127.5 - 1
    with torch.inference_mode():
        logits: NDArray[np.float32] = network.module.eval()(images).numpy()
    return logits


@pytest.fixture(scope="module")
def bundles(network: Network, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Bundle]:
    folder = tmp_path_factory.mktemp("bundles")
    return {recipe.name: convert_network(network, recipe, folder) for recipe in RECIPES if recipe.name in CHECKED}


@pytest.fixture(scope="module")
def evaluations(bundles: dict[str, Bundle], digits: Dataset) -> dict[str, Evaluation]:
    return {name: evaluate_bundle(bundle, digits) for name, bundle in bundles.items()}


def test_the_network_is_a_trained_one(eager: NDArray[np.float32], held_out: DecodedImages) -> None:
    assert (eager.argmax(1) == held_out.labels).mean() >= 0.95


@pytest.mark.parametrize("name", ["xnnpack_fp32", "coreml_fp32"])
def test_fp32_recipe_names_every_held_out_digit_as_eager_does(
    evaluations: dict[str, Evaluation], eager: NDArray[np.float32], name: str
) -> None:
    np.testing.assert_array_equal(evaluations[name].predictions, eager.argmax(1))


def test_fp16_recipe_agrees_with_eager(
    bundles: dict[str, Bundle],
    evaluations: dict[str, Evaluation],
    eager: NDArray[np.float32],
    held_out: DecodedImages,
) -> None:
    classifier = load_classifier(bundles["coreml_fp16"])
    classifier.load()
    logits = np.stack([classifier.forward(classifier.prepare(image)) for image in held_out.pixels])
    classifier.close()
    assert measure_parity(eager.astype(np.float64), logits).sqnr_db >= 50
    assert (evaluations["coreml_fp16"].predictions == eager.argmax(1)).mean() >= 0.995


@pytest.mark.parametrize(
    ("name", "platform"), [("xnnpack_int8", "android"), ("xnnpack_int8_qat", "android"), ("coreml_int8", "ios")]
)
def test_int8_recipe_agrees_with_eager_on_98_of_100_held_out_digits(
    network: Network, eager: NDArray[np.float32], digits: Dataset, name: str, platform: str, tmp_path: Path
) -> None:
    calibration = load_calibration("digits", network.input, network.labels, 256)
    bundle = convert_network(network, find_recipe(name, platform), tmp_path, calibration=calibration)
    assert (evaluate_bundle(bundle, digits).predictions == eager.argmax(1)).mean() >= 0.98
    held_out = bundle.manifest["parity"]["held_out"]
    assert held_out["images"] == 359
    assert held_out["top1_agreement"] >= 0.98
    assert not held_out["kept_anyway"]


def test_evaluation_is_what_scikit_learn_counts_of_eager(
    evaluations: dict[str, Evaluation], digits: Dataset, eager: NDArray[np.float32], held_out: DecodedImages
) -> None:
    found = evaluations["xnnpack_fp32"]
    assert found.images == len(digits.test) > 350
    assert found.classes == digits.classes
    np.testing.assert_array_equal(found.confusion, confusion_matrix(held_out.labels, eager.argmax(1)))
    assert {evaluation.image_set_sha256 for evaluation in evaluations.values()} == {found.image_set_sha256}


def test_on_image_hears_every_image_in_turn(bundles: dict[str, Bundle], digits: Dataset) -> None:
    heard: list[tuple[int, int]] = []
    evaluate_bundle(bundles["xnnpack_fp32"], digits, limit=40, on_image=lambda done, total: heard.append((done, total)))
    assert heard == [(done, 40) for done in range(1, 41)]


def turned_round(dataset: Dataset) -> Dataset:
    return dataclasses.replace(dataset, train=dataset.train[::-1], test=dataset.test[::-1])


@pytest.mark.parametrize("limit", [1, 7, 100, 5000])
def test_limit_keeps_each_class_share_wherever_the_images_lie(
    bundles: dict[str, Bundle], digits: Dataset, limit: int
) -> None:
    bundle = bundles["xnnpack_fp32"]
    found = evaluate_bundle(bundle, digits, limit=limit)
    taken, there = np.array(found.class_counts), np.bincount([image.label for image in digits.test])
    assert found.images == min(limit, len(digits.test))
    assert np.abs(taken - there * found.images / there.sum()).max() <= 1
    again = evaluate_bundle(bundle, turned_round(digits), limit=limit)
    assert again.image_set_sha256 == found.image_set_sha256
    assert again.confusion.tolist() == found.confusion.tolist()


def test_image_set_has_another_name_when_an_image_or_a_label_is_another(
    bundles: dict[str, Bundle], digits: Dataset
) -> None:
    first, *others = digits.test
    relabelled = dataclasses.replace(first, label=(first.label + 1) % 10)
    names = {
        evaluate_bundle(bundles["xnnpack_fp32"], dataclasses.replace(digits, test=tuple(test))).image_set_sha256
        for test in ([first, *others], others, [relabelled, *others])
    }
    assert len(names) == 3


def test_command_prints_accuracy_matrix_and_pairs(
    bundles: dict[str, Bundle], evaluations: dict[str, Evaluation], digits: Dataset, tmp_path: Path
) -> None:
    zipped = tmp_path / "bundle.zip"
    pack_bundle(bundles["xnnpack_fp32"], zipped)
    expected = evaluations["xnnpack_fp32"]

    result = type_evaluate(zipped, "--data", "digits")

    assert result.exit_code == 0, result.stderr
    assert f"{expected.correct} of {expected.images} images" in result.stdout
    assert f"95 % interval {expected.low:.1%} to {expected.high:.1%}" in result.stdout
    rows = [row for row in map(str.split, result.stdout.splitlines()) if len(row) == 12 and row[0] in digits.classes]
    counts = [[0 if cell == "·" else int(cell) for cell in row[1:-1]] for row in rows]
    assert counts == expected.confusion.tolist()
    for pair in expected.most_confused(5):
        assert f"{pair.label} taken for {pair.predicted}: {pair.count} of {pair.images}" in result.stdout
    assert "Of new images like these" in result.stderr
    assert f"Next: mobisdk bench {zipped}" in result.stderr


def test_command_when_json_then_one_document_that_says_all(
    bundles: dict[str, Bundle], evaluations: dict[str, Evaluation]
) -> None:
    bundle, expected = bundles["xnnpack_fp32"], evaluations["xnnpack_fp32"]

    result = type_evaluate(bundle.path, "--data", "digits", "--json")

    assert result.exit_code == 0, result.stderr
    document = json.loads(result.stdout)
    assert document["bundle_id"] == bundle.manifest["bundle_id"]
    assert document["variant_id"] == bundle.manifest["variant_id"]
    assert (document["recipe"], document["data"], document["split"]) == ("xnnpack_fp32", "digits", "test")
    assert document["image_set_sha256"] == expected.image_set_sha256
    assert (document["images"], document["correct"]) == (expected.images, expected.correct)
    assert document["interval_95"] == [expected.low, expected.high]
    assert document["skipped"] == []
    matrix = np.zeros((10, 10), int)
    for cell in document["confusion"]:
        matrix[int(cell["label"]), int(cell["predicted"])] = cell["count"]
    np.testing.assert_array_equal(matrix, expected.confusion)
    assert [entry["recall"] for entry in document["classes"]] == list(expected.recalls)
    assert document["most_confused"] == [dataclasses.asdict(cell) for cell in expected.most_confused(5)]


def test_command_when_the_bundle_is_for_core_ml_then_says_what_ran_it(bundles: dict[str, Bundle]) -> None:
    bundle = bundles["coreml_fp16"]
    result = type_evaluate(bundle.path, "--data", "digits", "--limit", 20)
    assert result.exit_code == 0, result.stderr
    assert "evaluated by torch here" in result.stderr
    assert f"Next: mobisdk verify {bundle.path}" in result.stderr


def test_command_when_limited_to_training_images_then_says_so(bundles: dict[str, Bundle], digits: Dataset) -> None:
    result = type_evaluate(
        bundles["xnnpack_fp32"].path, "--data", "digits", "--split", "train", "--limit", 50, "--json"
    )
    assert result.exit_code == 0, result.stderr
    assert json.loads(result.stdout)["images"] == 50
    assert f"50 of {len(digits.train)} images" in result.stderr
    assert "may have learnt these very images" in result.stderr


def png(grey: int) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (8, 8), (grey, grey, grey)).save(file, "PNG")
    return file.getvalue()


@pytest.fixture
def folder(digits: Dataset, tmp_path: Path) -> Path:
    """Two digits of each class to train with and three to test with, as a folder."""
    for split, images, count in (("train", digits.train, 2), ("test", digits.test, 3)):
        for label, name in enumerate(digits.classes):
            (tmp_path / "data" / split / name).mkdir(parents=True)
            for index, image in enumerate([image for image in images if image.label == label][:count]):
                (tmp_path / "data" / split / name / f"{index}.png").write_bytes(image.read())
    return tmp_path / "data"


def test_broken_image_is_named_and_left_out_only_when_asked(bundles: dict[str, Bundle], folder: Path) -> None:
    broken = folder / "test" / "3" / "1.png"
    broken.write_bytes(broken.read_bytes()[:40])
    arguments = (bundles["xnnpack_fp32"].path, "--data", folder)

    refused = type_evaluate(*arguments)
    assert isinstance(refused.exception, DataError)
    assert str(broken) in str(refused.exception)
    assert "--skip-broken" in str(refused.exception)
    assert refused.stdout == ""

    result = type_evaluate(*arguments, "--skip-broken", "--json")
    assert result.exit_code == 0, result.stderr
    document = json.loads(result.stdout)
    assert document["skipped"] == [str(broken)]
    assert (document["images"], document["available"]) == (29, 30)
    assert document["classes"][3]["images"] == 2
    assert f"Left out as broken: 1 ({str(broken)!r})" in result.stderr
    assert "--limit" not in result.stderr


def test_every_image_broken_leaves_nothing_to_evaluate(bundles: dict[str, Bundle], folder: Path) -> None:
    for index, file in enumerate(sorted((folder / "test").rglob("*.png"))):
        file.write_bytes(f"no image {index}".encode())
    result = type_evaluate(bundles["xnnpack_fp32"].path, "--data", folder, "--skip-broken")
    assert isinstance(result.exception, DataError)
    assert "no image is left to evaluate, got '30 broken images'" in str(result.exception)


def made_of(*classes: str) -> Dataset:
    """An image a class: the first one to train with is black."""
    train, test = (
        tuple(ImageRef(f"{split} {label}", label, partial(png, first + label)) for label in range(len(classes)))
        for split, first in (("train", 0), ("test", 100))
    )
    return Dataset("made", classes, train, test, duplicates=0)


@pytest.mark.parametrize(
    ("classes", "sentences"),
    [
        ("012345678", ["it lacks '9'"]),
        ("0123456789a", ["it has 'a', which the bundle does not know"]),
        ("012345678x", ["it lacks '9'", "it has 'x'"]),
        ("0123456798", ["another order: class 8 is '9', not '8'"]),
        ("abcdefghijk", ["it lacks '0', '1', '2', '3', '4' and 5 more", "it has 'a', 'b', 'c', 'd', 'e' and 6 more"]),
    ],
)
def test_classes_when_they_are_not_the_labels_then_says_what_differs(
    bundles: dict[str, Bundle], classes: str, sentences: Sequence[str]
) -> None:
    with pytest.raises(DataError, match="not the labels of the bundle") as caught:
        evaluate_bundle(bundles["xnnpack_fp32"], made_of(*classes))
    for sentence in sentences:
        assert sentence in str(caught.value)


@pytest.mark.parametrize(
    ("arguments", "error", "sentence"),
    [
        ("{bundle} --data {folder}/nowhere", DataError, "there is no such data"),
        ("{folder} --data digits", BundleError, "no manifest.json"),
        ("{folder}/nowhere --data digits", BundleError, "must be a folder"),
        ("{bundle} --data digits --limit 0", ConfigError, "--limit must be"),
    ],
)
def test_command_when_the_input_is_wrong_then_one_sentence_and_no_output(
    bundles: dict[str, Bundle], folder: Path, arguments: str, error: type[MobiError], sentence: str
) -> None:
    result = type_evaluate(*arguments.format(bundle=bundles["xnnpack_fp32"].path, folder=folder).split())
    assert isinstance(result.exception, error)
    assert sentence in str(result.exception)
    assert result.stdout == ""


class Brightness(nn.Module):
    """Three logits that follow from the colours alone; minus infinity for a black image."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return torch.log((images + 1).mean((2, 3)))


@pytest.fixture(scope="module")
def untrained(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return convert(
        Brightness(),
        InputSpec(resize=32, crop=32),
        find_recipe("xnnpack_fp32", "android"),
        tmp_path_factory.mktemp("untrained"),
        weights=WeightsOrigin("random", "none"),
        labels=["blue", "green", "red"],
    )


def test_logits_that_are_no_numbers_name_the_image(untrained: Bundle) -> None:
    dataset = made_of("blue", "green", "red")
    assert evaluate_bundle(untrained, dataset).images == 3
    with pytest.raises(BundleError, match="finite logit a label for train 0, got '3 logits, 0 of them finite'"):
        evaluate_bundle(untrained, dataset, split=Split.TRAIN)


def test_command_when_weights_are_untrained_then_says_that_the_figure_means_nothing(
    untrained: Bundle, tmp_path: Path
) -> None:
    for label, name in enumerate(untrained.labels()):
        (tmp_path / name).mkdir()
        for index in range(2):
            (tmp_path / name / f"{index}.png").write_bytes(png(50 + 10 * label + index))
    result = type_evaluate(untrained.path, "--data", tmp_path)
    assert result.exit_code == 0, result.stderr
    assert "untrained: the accuracy means nothing yet" in result.stderr
    assert "Of new images" not in result.stderr
    assert f"Next: mobisdk train --data {tmp_path}" in result.stderr
