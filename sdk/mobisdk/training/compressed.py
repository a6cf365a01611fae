"""A checkpoint compressed: techniques one after the other, fine-tuned by the uncompressed network, and kept."""

import copy
import dataclasses
import json
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from mobisdk.compression import CompressionResult, TechniqueConfig, compress_, find_technique, load_network
from mobisdk.compression.packed_checkpoint import shares_weights, write_packed
from mobisdk.compression.sensitivity import LayerSensitivity
from mobisdk.compression.targets import Target, reach_target_
from mobisdk.data import DecodedImages, decode_images, open_dataset
from mobisdk.data.batches import HeldOutBatches, normalize
from mobisdk.errors import ConfigError, DataError
from mobisdk.files import folder_atomically
from mobisdk.models.checkpoint import Checkpoint, save_checkpoint, weights_sha256
from mobisdk.models.evaluation_mode import evaluation_mode
from mobisdk.specs import InputSpec
from mobisdk.training.distillation import distil
from mobisdk.training.documents import format_document, tell_now
from mobisdk.training.held_out import count_correct
from mobisdk.training.names import check_name, first_free
from mobisdk.training.runs import CACHE, CHECKPOINT
from mobisdk.training.session import OnProgress, fine_tune
from mobisdk.training.spec import TrainSpec
from mobisdk.training.teacher import Teacher, load_teacher

SCHEMA = "mobisdk.compression/1"
REPORT = "compression.json"
PACKED = "last.mdc"
"""Beside the checkpoint, where layers share weights."""
_IMAGES = 256
"""Training images that responses and sensitivities are measured on."""
_TEMPERATURE, _MIX = 4.0, 0.7
_BATCH = 256


@dataclasses.dataclass(frozen=True)
class CompressionPlan:
    """What is done to a checkpoint.

    Raises:
        ConfigError: a target is given to several techniques, or epochs are negative.
    """

    configs: tuple[TechniqueConfig, ...]
    target: Target | None = None
    data: str | None = None
    """Its images are looked at, learnt from and tested on; None is what the checkpoint was trained on."""
    finetune_epochs: int = 0
    """Behind each technique."""
    learning_rate: float | None = None
    teacher: str | None = None
    """Weights that fine-tuning learns from; None is the uncompressed network."""
    seed: int = 0

    def __post_init__(self) -> None:
        """Check what depends on each other."""
        if self.target is not None and len(self.configs) != 1:
            raise ConfigError("a target decides the settings of one technique", got=[c.method for c in self.configs])
        if self.finetune_epochs < 0:
            raise ConfigError("epochs must be a number", got=self.finetune_epochs, allowed="0 or more")


@dataclasses.dataclass(frozen=True)
class CompressedRun:
    """What was done, and what it made of the network."""

    folder: Path
    checkpoint: Path
    document: Mapping[str, Any]
    """What compression.json says."""


@dataclasses.dataclass(frozen=True)
class _Images:
    """Of the data set, as the network sees them."""

    source: str
    train: torch.Tensor
    """Normalized, a part of the training split."""
    test: DecodedImages
    view: InputSpec

    def count_right(self, network: nn.Module) -> int:
        """Held-out images that the network names right."""
        with evaluation_mode(network):
            return count_correct(network, HeldOutBatches(self.test, self.view, batch_size=_BATCH))

    def accuracy(self, network: nn.Module) -> float:
        """Their share."""
        return self.count_right(network) / len(self.test.labels)


OnStep = Callable[[str], None]


def compress_checkpoint(
    path: Path,
    plan: CompressionPlan,
    *,
    runs: Path,
    name: str | None = None,
    on_step: OnStep | None = None,
    on_layer: Callable[[int, int], None] | None = None,
    on_progress: OnProgress | None = None,
) -> CompressedRun:
    """Compress a checkpoint, and keep it in `runs/name`: `last.safetensors`, and `compression.json` with every figure.

    Where layers share weights, `last.mdc` is the checkpoint once more, packed.

    Raises:
        ConfigError: the techniques clash, a target cannot be reached, no layer was changed, or the name is taken.
        DataError: the checkpoint or the data are damaged, or the classes are others.
        UnsupportedError: a technique cannot follow this network.
        OSError: the disk is full, or `runs` cannot be written.
    """
    if name is not None:
        check_name(runs, name)
    tell = on_step or (lambda _: None)
    checkpoint, network = load_network(path)
    runs.mkdir(parents=True, exist_ok=True)
    images = _open_images(plan, checkpoint, runs / CACHE)
    teacher = _choose_teacher(plan, checkpoint, network)
    sha256 = weights_sha256(network.state_dict())
    before = images.count_right(network) if images else None
    records: list[dict[str, Any]] = []
    steps: list[CompressionResult] = []
    found: tuple[LayerSensitivity, ...] = ()

    def tune(epochs: int) -> None:
        if epochs == 0:
            return
        state = dataclasses.replace(checkpoint, compression=(*checkpoint.compression, *records))
        spec = TrainSpec(
            checkpoint.model,
            data=plan.data or str(checkpoint.origin["data"]),
            epochs=epochs,
            learning_rate=plan.learning_rate,
            seed=plan.seed,
        )
        objective = distil(teacher, temperature=_TEMPERATURE, mix=_MIX)
        with tempfile.TemporaryDirectory(dir=runs, prefix=".fine-tuning-") as folder:
            fine_tune(network, state, spec, runs=Path(folder), objective=objective, on_progress=on_progress)

    for config in plan.configs:
        if plan.target is not None:
            if images is None:
                raise _no_data("a target is reached by what layers mean on images")
            tell(f"Measuring how sensitive each layer is to {config.method}")
            results, found = reach_target_(
                network,
                config,
                plan.target,
                images=images.train,
                evaluate=images.accuracy,
                on_layer=on_layer,
            )
            steps += results
            records += [result.record for result in results]
            tune(plan.finetune_epochs)
            continue
        stages = find_technique(config.method).stages(config)
        for number, stage in enumerate(stages):
            tell(f"{config.method}" + (f", step {number + 1} of {len(stages)}" if len(stages) > 1 else ""))
            if images is None and find_technique(config.method).needs_images(stage):
                raise _no_data(f"{config.method} follows what layers answer on images")
            result = compress_(network, stage, images=_zeros(checkpoint) if images is None else images.train)
            if not result.changed:
                reasons = "; ".join(f"{skipped.name}: {skipped.reason}" for skipped in result.skipped)
                raise ConfigError(f"{config.method} changed no layer", got=reasons or None)
            if number:
                records.pop()
                result = dataclasses.replace(
                    result,
                    macs_before=steps[-1].macs_before,
                    params_before=steps[-1].params_before,
                    size_bytes_before=steps[-1].size_bytes_before,
                )
                steps.pop()
            records.append(result.record)
            steps.append(result)
            tune(_share_of_epochs(plan.finetune_epochs, number, len(stages)))
    after = images.count_right(network) if images else None
    document = {
        "schema": SCHEMA,
        "created_at": tell_now(),
        "source": {"checkpoint": str(path), "weights_sha256": sha256, "compression": list(checkpoint.compression)},
        "model": dataclasses.asdict(checkpoint.model),
        "methods": [config.method for config in plan.configs],
        "data": None if images is None else images.source,
        "tested": None if images is None else len(images.test.labels),
        "correct_before": before,
        "correct_after": after,
        "finetune": {"epochs": plan.finetune_epochs, "teacher": plan.teacher or "the uncompressed network"},
        "steps": [_describe_step(step) for step in steps],
        "sensitivity": [_describe_sensitivity(one) for one in found],
        **{
            figure: getattr(step, figure)
            for step, when in ((steps[0], "before"), (steps[-1], "after"))
            for figure in (f"params_{when}", f"macs_{when}", f"size_bytes_{when}")
        },
    }
    folder = runs / (name or _free_name(runs, path, plan))
    kept = dataclasses.replace(
        checkpoint,
        compression=(*checkpoint.compression, *records),
        origin={
            **checkpoint.origin,
            "run": folder.name,
            "compressed_from": str(checkpoint.origin.get("run", path.name)),
        },
        metrics=checkpoint.metrics
        if after is None or images is None
        else {"accuracy": after / len(images.test.labels), "correct": after, "tested": len(images.test.labels)},
    )
    with folder_atomically(folder) as partial:
        state = network.state_dict()
        save_checkpoint(partial / CHECKPOINT, kept, state)
        if shares_weights(state):
            sizes = write_packed(partial / PACKED, kept, state)
            document["packed"] = {
                "size_bytes": (partial / PACKED).stat().st_size,
                "layers": [dataclasses.asdict(size) for size in sizes],
            }
        (partial / REPORT).write_text(format_document(document), encoding="utf-8")
    return CompressedRun(folder, folder / CHECKPOINT, document)


def read_compressions(runs: Path) -> tuple[CompressedRun, ...]:
    """Every compression in `runs`, by the folder's name.

    Raises:
        DataError: a file is damaged.
    """
    found = []
    for path in sorted(runs.glob(f"[!.]*/{REPORT}")):
        try:
            document = json.loads(path.read_text(encoding="utf-8"))
            if document["schema"] != SCHEMA:
                raise DataError("the compression is of another schema", got=document["schema"], allowed=SCHEMA)
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(f"the compression's report is damaged ({error})", got=str(path)) from error
        found.append(CompressedRun(path.parent, path.parent / CHECKPOINT, document))
    return tuple(found)


def _open_images(plan: CompressionPlan, checkpoint: Checkpoint, cache: Path) -> _Images | None:
    """The data's images, or none where no data is named anywhere and none is needed."""
    source = plan.data or checkpoint.origin.get("data")
    if source is None:
        if plan.finetune_epochs:
            raise _no_data("fine-tuning needs images")
        return None
    dataset = open_dataset(str(source))
    if dataset.classes != checkpoint.labels:
        raise DataError(
            "the data's classes are not the checkpoint's", got=dataset.classes[:5], allowed=str(checkpoint.labels[:5])
        )
    order = torch.randperm(len(dataset.train), generator=torch.Generator().manual_seed(plan.seed))[:_IMAGES]
    some = decode_images([dataset.train[index] for index in sorted(order.tolist())], checkpoint.input, cache=cache)
    train = normalize(torch.from_numpy(some.pixels), checkpoint.input).contiguous()
    return _Images(str(source), train, decode_images(dataset.test, checkpoint.input, cache=cache), checkpoint.input)


def _choose_teacher(plan: CompressionPlan, checkpoint: Checkpoint, network: nn.Module) -> Teacher:
    if plan.teacher is not None:
        return load_teacher(plan.teacher, checkpoint.labels, checkpoint.input)
    own = copy.deepcopy(network).eval().requires_grad_(requires_grad=False)
    order = torch.arange(len(checkpoint.labels))
    return Teacher(own, checkpoint.model, checkpoint.input, checkpoint.input, order, "")


def _zeros(checkpoint: Checkpoint) -> torch.Tensor:
    return torch.zeros(1, 3, checkpoint.input.crop, checkpoint.input.crop)


def _no_data(why: str) -> ConfigError:
    return ConfigError(f"{why}, and the checkpoint does not say what it was trained on", hint="Name them with --data")


def _share_of_epochs(epochs: int, stage: int, stages: int) -> int:
    """The epochs of one stage: as many each, and what is left over for the last."""
    return epochs // stages + (epochs % stages if stage == stages - 1 else 0)


def _describe_step(step: CompressionResult) -> dict[str, Any]:
    return {
        "method": step.record["method"],
        "settings": step.record["settings"],
        "changed": [dataclasses.asdict(change) for change in step.changed],
        "skipped": [dataclasses.asdict(skipped) for skipped in step.skipped],
    }


def _describe_sensitivity(one: LayerSensitivity) -> dict[str, Any]:
    settings = dataclasses.asdict(one.config)
    settings.pop("layers")
    return {**dataclasses.asdict(one), "config": settings}


def _free_name(runs: Path, path: Path, plan: CompressionPlan) -> str:
    """The source's run and the methods, or the same with `-2`, `-3`, … where there is one."""
    source = path.parent.name if path.name == CHECKPOINT and path.parent.name else path.stem
    return first_free(runs, "-".join([source, *(config.method for config in plan.configs)]))
