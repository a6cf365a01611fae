"""`convert`: any torch module in, a complete bundle out."""

import contextlib
import dataclasses
import datetime
import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

import mobisdk
from mobiconvert.calibration import Calibration, describe_calibration
from mobiconvert.classifiers import open_classifier
from mobiconvert.deployment import DeployedNetwork, compute_logits
from mobiconvert.folding import trace
from mobiconvert.golden import describe_golden, write_golden
from mobiconvert.held_out import DEFAULT_MAX_DROP, check_held_out
from mobiconvert.layer_sqnr import LayerTap, measure_layers, tap_mil_program, tap_program
from mobiconvert.level_flips import measure_level_flips
from mobiconvert.lowered import Delegation, Lowered
from mobiconvert.mil_evaluator.load import load_mil_program
from mobiconvert.parity import Parity, measure_parity
from mobiconvert.partial_folder import partial_folder
from mobiconvert.recipes import Recipe
from mobiconvert.toolchain_errors import toolchain_errors
from mobisdk.bundle import Bundle, compute_variant_id, write_bundle
from mobisdk.bundle.bundle import LABELS_NAME
from mobisdk.compression.stored_codes import StoredCodes, list_stored_codes
from mobisdk.cost import count_cost
from mobisdk.data.photographs import image_set_sha256, load_photographs, photograph_crops
from mobisdk.errors import BundleError, ConfigError, ConversionError, ParityError
from mobisdk.layers.parametrized import without_parametrizations
from mobisdk.models.checkpoint import weights_sha256
from mobisdk.preprocess import preprocess
from mobisdk.specs import InputSpec, ModelSpec
from mobisdk.stopping import stop_if_told

PARITY_IMAGES = 20
_UNTRAINED_CALIBRATION = "crops of scikit-learn's photographs"

_Run = Callable[[NDArray[np.uint8]], NDArray[np.float32]]


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
    calibration: Calibration | None = None,
    max_drop: float = DEFAULT_MAX_DROP,
    keep_anyway: bool = False,
    min_delegated: float | None = None,
    request_sha256: str | None = None,
) -> Bundle:
    """Lower `model`, prove that the artefact agrees with it on photographs, and write the bundle to `out_dir`.

    `model` takes normalized (N,3,H,W) float32 and gives logits (N, classes); `spec` says how a photograph becomes that.
    A recipe that is lossy measures its ranges on `calibration`, and is refused where top-1 on the held-out images falls
    by more than `max_drop` percentage points, unless `keep_anyway`. Without `calibration` ranges are measured on crops
    of the packaged photographs, which is enough for latency, and no accuracy is checked. `min_delegated` is the
    smallest share of multiply-adds that the backend must take. `request_sha256` names what the bundle was asked for
    with, so that who asks again finds it. A bundle that is there already, whole and the same, is kept.

    Raises:
        ConfigError: the labels do not fit the classes, `model` does not give logits, or the recipe trains and there is
            nothing to train with.
        DataError: the calibration images have another size than the network's input.
        ConversionError: torch or the backend refuses the module, whose line is named where torch knows it, or the
            backend takes too little of it.
        ParityError: the artefact's logits are further from the network's than the recipe promises, or its top-1 is.
        BundleError: another or a damaged bundle stands in the way, `out_dir` cannot be written, or the disk is full.
            Nothing is left half-written in any case.
    """
    if calibration is not None:
        calibration.check_size(spec.crop)
    elif recipe.trains:
        raise ConfigError(f"{recipe.name} trains, and needs labelled images", hint="Give a Calibration")
    shape = (1, 3, spec.crop, spec.crop)
    plain = without_parametrizations(model)
    deployed = DeployedNetwork(plain, spec).eval()
    golden = load_photographs()[0]
    golden_input = preprocess(golden.pixels, spec)
    images = np.concatenate([golden_input[None], photograph_crops(PARITY_IMAGES, spec)])
    with toolchain_errors("torch cannot run this module"):
        golden_logits = compute_logits(deployed, images[:1])[0]
        reference = compute_logits(deployed, images[1:], torch.float32)
    labels = _check_labels(labels, reference)
    flips = measure_level_flips(deployed, images, recipe.precision)
    program = trace(deployed, shape)
    cost = count_cost(plain, shape)
    ranges = images[1:] if calibration is None else calibration.images
    answers = None if calibration is None else calibration.labels

    with partial_folder(out_dir, cost.size_bytes) as folder:
        lowered = _lower(program, recipe, cost.macs, folder, ranges, answers, list_stored_codes(model))
        if min_delegated is not None:
            _check_delegation(lowered.delegation, cost.macs, recipe, min_delegated)
        with _runner(folder, recipe, lowered) as run:
            actual = run(images)
            parity = measure_parity(reference, actual[1:])
            _check_parity(parity, recipe, flips)
            held_out = None
            if recipe.is_lossy and calibration is not None:
                held_out = check_held_out(
                    deployed,
                    run,
                    calibration,
                    lambda some: measure_layers(tap_program(program), _tap_artefact(folder, lowered), some),
                    recipe=recipe.name,
                    max_drop=max_drop,
                    keep_anyway=keep_anyway,
                )
        write_golden(folder, golden.pixels, golden_input, golden_logits)
        (folder / LABELS_NAME).write_text("".join(f"{label}\n" for label in labels), encoding="utf-8", newline="\n")
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
            "target": {**dataclasses.asdict(recipe.target), **lowered.requirements},
            "input": {**lowered.input, "preprocess": _describe_preprocessing(spec)},
            "output": dict(lowered.output),
            "delegation": dataclasses.asdict(lowered.delegation),
            "parity": {
                "images": parity.images,
                "image_set_sha256": image_set_sha256(images[1:]),
                "top1_agreement": parity.top1_agreement,
                "max_abs_error": parity.max_abs_error,
                "sqnr_db": parity.sqnr_db,
                "tolerance": None if recipe.error is None else (recipe.error + flips) * float(np.abs(reference).max()),
                "measured_on": "artefact" if lowered.simulate is None else "graph",
                "held_out": None if held_out is None else dataclasses.asdict(held_out),
            },
            "golden": describe_golden(golden_logits, actual[0], recipe, flips),
        }
        if recipe.calibrates:
            source = _UNTRAINED_CALIBRATION if calibration is None else calibration.source
            manifest["calibration"] = {**describe_calibration(source, ranges), "trained": recipe.trains}
        if request_sha256 is not None:
            manifest["request_sha256"] = request_sha256
        stop_if_told()
        return write_bundle(folder, manifest, out_dir)


def _check_delegation(delegation: Delegation, macs: int, recipe: Recipe, min_delegated: float) -> None:
    share = delegation.macs_delegated / macs if macs else 1.0
    if share < min_delegated:
        kept = ", ".join(f"{fallback.count} × {fallback.op} ({fallback.reason})" for fallback in delegation.fallback)
        raise ConversionError(
            f"{recipe.backend} takes too little of the network: share of the multiply-adds",
            got=round(share, 4),
            allowed=f"--min-delegated {min_delegated:g}",
            hint=f"Left over: {kept}" if kept else None,
        )


def _check_parity(parity: Parity, recipe: Recipe, flips: float) -> None:
    """`flips` is what rounded activations may add."""
    if recipe.error is None:
        return
    if not parity.relative_error <= recipe.error + flips:
        raise ParityError(
            f"{recipe.name} is too far from the network: relative error of its logits on {parity.images} photos",
            got=float(f"{parity.relative_error:.3g}"),
            allowed=f"at most {recipe.error + flips:.3g}",
            hint="A network that is this sensitive to rounding needs a float32 recipe",
        )


def _lower(
    program: torch.export.ExportedProgram,
    recipe: Recipe,
    macs: int,
    folder: Path,
    images: NDArray[np.uint8],
    labels: NDArray[np.int64] | None,
    codes: Mapping[str, StoredCodes],
) -> Lowered:
    with toolchain_errors(f"{recipe.name}: the backend cannot lower this module", program):
        if recipe.runtime == "coreml":
            from mobiconvert.coreml import lowering as coreml

            return coreml.lower(program, recipe, macs, folder, images, codes)
        from mobiconvert.executorch import lowering as executorch

        return executorch.lower(program, recipe, folder, images, labels)


@contextlib.contextmanager
def _runner(folder: Path, recipe: Recipe, lowered: Lowered) -> Iterator[_Run]:
    """Give what runs the artefact on (N,H,W,3) uint8 images, or its graph where no runtime of this computer does."""
    if lowered.simulate is not None:
        simulate = lowered.simulate
        yield lambda images: np.concatenate([simulate(_to_tensor(image)).detach().numpy() for image in images])
        return
    classifier = open_classifier(folder, recipe.target, lowered.input, lowered.output)
    try:
        classifier.load()
    except BundleError as exc:
        raise ConversionError(
            f"{recipe.name}: {recipe.backend} wrote a program that its runtime does not load: {exc.what}",
            hint="This network needs another recipe; please report it",
        ) from exc
    try:
        yield lambda images: np.stack([classifier.forward(classifier.prepare(image)) for image in images])
    finally:
        classifier.close()


def _tap_artefact(folder: Path, lowered: Lowered) -> LayerTap:
    """The layers of what was lowered: of its graph where torch has one, else of the Core ML program itself."""
    if lowered.rounded is not None:
        return tap_program(lowered.rounded)
    return tap_mil_program(load_mil_program(folder / "model.mlpackage"))


def _to_tensor(image: NDArray[np.uint8]) -> torch.Tensor:
    return torch.from_numpy(image.transpose(2, 0, 1)[None].astype(np.float32) / 255)


def _check_labels(labels: Sequence[str] | None, logits: NDArray[np.float64]) -> Sequence[str]:
    if logits.ndim != 2 or not np.isfinite(logits).all():
        raise ConfigError("the module must give finite logits of shape (N, classes)", got=f"shape {logits.shape}")
    classes = logits.shape[1]
    labels = [str(number) for number in range(classes)] if labels is None else labels
    if len(labels) != classes or any("\n" in label or not label for label in labels):
        raise ConfigError(f"there must be {classes} labels, each one line", got=len(labels))
    return labels


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
