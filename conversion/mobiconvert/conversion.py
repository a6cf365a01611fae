"""`convert`: any torch module in, a complete bundle out."""

import contextlib
import dataclasses
import datetime
import hashlib
import math
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import nn

import mobisdk
from mobiconvert.classifiers import open_classifier
from mobiconvert.deployment import DeployedNetwork, compute_logits
from mobiconvert.folding import fold_batch_norms
from mobiconvert.lowered import Lowered
from mobiconvert.parity import Parity, measure_parity
from mobiconvert.recipes import Recipe
from mobisdk.bundle import Bundle, compute_variant_id, write_bundle
from mobisdk.bundle.bundle import LABELS_NAME
from mobisdk.cost import count_cost
from mobisdk.data.photographs import image_set_sha256, load_photographs, photograph_crops
from mobisdk.errors import BundleError, ConfigError, ConversionError, MobiError, ParityError
from mobisdk.files import PARTIAL_MARK
from mobisdk.models.checkpoint import weights_sha256
from mobisdk.preprocess import preprocess
from mobisdk.specs import InputSpec, ModelSpec

PARITY_IMAGES = 20
_GOLDEN_IMAGE, _GOLDEN_INPUT, _GOLDEN_OUTPUT = "golden_image.png", "golden_input.u8", "golden_output.f32"
_REST_OF_BUNDLE_BYTES = 2_000_000
"""The golden photograph, labels, graph and manifest."""


@dataclasses.dataclass(frozen=True)
class WeightsOrigin:
    """Where a network's weights come from, in words for a person."""

    source: Literal["random", "checkpoint", "hub"]
    detail: str


def convert(
    model: nn.Module,
    spec: InputSpec,
    recipe: Recipe,
    out_dir: Path,
    *,
    weights: WeightsOrigin,
    model_spec: ModelSpec | None = None,
    labels: Sequence[str] | None = None,
    compression: Sequence[Mapping[str, Any]] = (),
) -> Bundle:
    """Lower `model`, prove that the artefact agrees with it on photographs, and write the bundle to `out_dir`.

    `model` takes normalized (N,3,H,W) float32 and gives logits (N, classes); `spec` says how a photograph becomes that.
    A bundle that is there already, whole and the same, is kept.

    Raises:
        ConfigError: the labels do not fit the classes, or `model` does not give logits.
        ConversionError: torch or the backend refuses the module.
        ParityError: the artefact's logits are further from the network's than the recipe promises.
        BundleError: another or a damaged bundle stands in the way, `out_dir` cannot be written, or the disk is full.
            Nothing is left half-written in any case.
    """
    shape = (1, 3, spec.crop, spec.crop)
    deployed = DeployedNetwork(model, spec).eval()
    golden = load_photographs()[0]
    golden_input = preprocess(golden.pixels, spec)
    images = np.concatenate([golden_input[None], photograph_crops(PARITY_IMAGES, spec)])
    with _toolchain_errors("torch cannot run this module"):
        golden_logits = compute_logits(deployed, images[:1])[0]
        reference = compute_logits(deployed, images[1:], torch.float32)
    labels = _check_labels(labels, reference)
    with _toolchain_errors("torch.export cannot trace this module"):
        image = (torch.rand(shape),)
        folded = fold_batch_norms(deployed, torch.export.export(deployed, image))
        program = torch.export.export(folded, image)
    cost = count_cost(model, shape)

    with _partial_folder(out_dir, cost.size_bytes) as folder:
        lowered = _lower(program, recipe, cost.macs, folder, images[1:])
        actual = _run_artefact(folder, recipe, lowered, images)
        parity = measure_parity(reference, actual[1:])
        _check_parity(parity, recipe)
        _write_golden(folder, golden.pixels, golden_input, golden_logits, labels)
        tool_versions = {"torch": torch.__version__.split("+")[0], **lowered.tool_versions}
        toolchain = {tool: version for tool, version in tool_versions.items() if version}
        steps = [dict(step) for step in compression]
        shape_of_model = model_spec or {"graph": _describe_graph(program)}
        manifest = {
            "created_at": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "sdk_version": mobisdk.__version__,
            "tool_versions": tool_versions,
            "variant_id": compute_variant_id(shape_of_model, steps, recipe.name, toolchain),
            "model": {
                "spec": dataclasses.asdict(model_spec) if model_spec else None,
                "arch": model_spec.arch if model_spec else None,
                "alpha": model_spec.alpha if model_spec else None,
                "resolution": model_spec.resolution if model_spec else None,
                "num_classes": len(labels),
                "params": cost.params,
                "macs": cost.macs,
                "weights": {**dataclasses.asdict(weights), "sha256": weights_sha256(model.state_dict())},
                "compression": steps,
            },
            "target": dataclasses.asdict(recipe.target),
            "input": {**lowered.input, "preprocess": _describe_preprocessing(spec)},
            "output": dict(lowered.output),
            "delegation": dataclasses.asdict(lowered.delegation),
            "parity": {
                "images": parity.images,
                "image_set_sha256": image_set_sha256(images[1:]),
                "top1_agreement": parity.top1_agreement,
                "max_abs_error": parity.max_abs_error,
                "sqnr_db": parity.sqnr_db,
                "tolerance": None if recipe.error is None else recipe.error * float(np.abs(reference).max()),
            },
            "golden": {
                "image": _GOLDEN_IMAGE,
                "input": _GOLDEN_INPUT,
                "output": _GOLDEN_OUTPUT,
                "tolerance": _golden_tolerance(golden_logits, actual[0], recipe),
            },
        }
        return write_bundle(folder, manifest, out_dir)


@contextlib.contextmanager
def _partial_folder(out_dir: Path, weights_bytes: int) -> Iterator[Path]:
    """Give a folder in `out_dir` that is gone afterwards, where there is room for what is written there.

    Raises:
        BundleError: the disk has no room, or `out_dir` cannot be written.
    """
    try:
        out_dir.mkdir(parents=True, exist_ok=True)
        # coremltools writes a package twice; a full disk makes its writer fail without saying why.
        needed, free = 2 * weights_bytes + _REST_OF_BUNDLE_BYTES, shutil.disk_usage(out_dir).free
        if free < needed:
            raise BundleError(
                f"the disk has no room for the bundle in {out_dir}: {needed / 1e6:.0f} MB are needed, "
                f"{free / 1e6:.1f} MB are free",
                hint="Free some, or choose another --output",
            )
        with tempfile.TemporaryDirectory(dir=out_dir, prefix=f"{PARTIAL_MARK}-") as name:
            yield Path(name)
    except OSError as exc:
        reason = exc.strerror or str(exc)[:300]
        raise BundleError(
            f"the bundle cannot be written: {reason}", got=str(out_dir), hint="Choose another --output"
        ) from exc


def _check_parity(parity: Parity, recipe: Recipe) -> None:
    if recipe.error is None:
        return
    if not parity.relative_error <= recipe.error:
        raise ParityError(
            f"{recipe.name} is too far from the network: relative error of its logits on {parity.images} photos",
            got=float(f"{parity.relative_error:.3g}"),
            allowed=f"at most {recipe.error:g}",
            hint="A network that is this sensitive to rounding needs a float32 recipe",
        )


def _lower(
    program: torch.export.ExportedProgram, recipe: Recipe, macs: int, folder: Path, calibration: NDArray[np.uint8]
) -> Lowered:
    with _toolchain_errors(f"{recipe.name}: the backend cannot lower this module"):
        if recipe.runtime == "coreml":
            from mobiconvert.coreml import lowering as coreml

            return coreml.lower(program, recipe, macs, folder, calibration)
        from mobiconvert.executorch import lowering as executorch

        return executorch.lower(program, recipe, folder, calibration)


def _run_artefact(folder: Path, recipe: Recipe, lowered: Lowered, images: NDArray[np.uint8]) -> NDArray[np.float32]:
    classifier = open_classifier(folder, recipe.runtime, lowered.input, lowered.output)
    classifier.load()
    try:
        return np.stack([classifier.forward(classifier.prepare(image)) for image in images])
    finally:
        classifier.close()


def _check_labels(labels: Sequence[str] | None, logits: NDArray[np.float64]) -> Sequence[str]:
    if logits.ndim != 2 or not np.isfinite(logits).all():
        raise ConfigError("the module must give finite logits of shape (N, classes)", got=f"shape {logits.shape}")
    classes = logits.shape[1]
    labels = [str(number) for number in range(classes)] if labels is None else labels
    if len(labels) != classes or any("\n" in label or not label for label in labels):
        raise ConfigError(f"there must be {classes} labels, each one line", got=len(labels))
    return labels


def _write_golden(
    folder: Path,
    pixels: NDArray[np.uint8],
    golden_input: NDArray[np.uint8],
    logits: NDArray[np.float64],
    labels: Sequence[str],
) -> None:
    Image.fromarray(pixels).save(folder / _GOLDEN_IMAGE, optimize=True)
    (folder / _GOLDEN_INPUT).write_bytes(golden_input.tobytes())
    (folder / _GOLDEN_OUTPUT).write_bytes(logits.astype("<f4").tobytes())
    (folder / LABELS_NAME).write_text("".join(f"{label}\n" for label in labels), encoding="utf-8", newline="\n")


def _golden_tolerance(reference: NDArray[np.float64], actual: NDArray[np.float32], recipe: Recipe) -> float:
    """Twice the error of the artefact here, and what another phone's rounding may add; rounded up to two digits.

    Rounding keeps the last bits of one host's arithmetic out of bundle_id.
    """
    error = float(np.abs(actual - reference).max())
    bound = 2 * error + recipe.golden_margin * float(np.abs(reference).max())
    unit = 10.0 ** (math.floor(math.log10(bound)) - 1)
    return float(f"{math.ceil(bound / unit) * unit:.2g}")


def _describe_preprocessing(spec: InputSpec) -> dict[str, Any]:
    return {
        "resize": spec.resize,
        "crop": spec.crop,
        "interpolation": "bilinear",
        "scale": 1 / 255,
        "mean": list(spec.mean),
        "std": list(spec.std),
        "baked_in": True,
    }


def _describe_graph(program: torch.export.ExportedProgram) -> str:
    """Hash the graph and the shapes of its parameters, not their values."""
    shapes = {name: list(value.shape) for name, value in program.state_dict.items()}
    return hashlib.sha256(f"{program.graph_module.code}\n{shapes}".encode()).hexdigest()


@contextlib.contextmanager
def _toolchain_errors(what: str) -> Iterator[None]:
    """Wrap whatever a toolchain raises: torch, ExecuTorch and coremltools have no error class of their own."""
    try:
        yield
    except (MobiError, OSError):
        raise
    except Exception as exc:
        first_line = str(exc).strip().split("\n")[0][:300]
        raise ConversionError(f"{what}: {type(exc).__name__}: {first_line}", hint="--debug shows the trace") from exc
