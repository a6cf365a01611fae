"""A checkpoint compressed: techniques one after the other, fine-tuned by the uncompressed network, and kept."""

import dataclasses
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from mobisdk.compression import CompressionResult, load_network
from mobisdk.compression.packed_checkpoint import shares_weights, write_packed
from mobisdk.compression.sensitivity import LayerSensitivity
from mobisdk.errors import DataError
from mobisdk.files import folder_atomically
from mobisdk.models.checkpoint import save_checkpoint, weights_sha256
from mobisdk.training.compression_work import CompressionPlan, CompressionWork, OnStep, choose_teacher, open_images
from mobisdk.training.documents import format_document, tell_now
from mobisdk.training.names import check_name, first_free
from mobisdk.training.runs import CACHE, CHECKPOINT
from mobisdk.training.session import OnProgress

SCHEMA = "mobisdk.compression/1"
REPORT = "compression.json"
PACKED = "last.mdc"
"""Beside the checkpoint, where layers share weights."""


@dataclasses.dataclass(frozen=True)
class CompressedRun:
    """What was done, and what it made of the network."""

    folder: Path
    checkpoint: Path
    document: Mapping[str, Any]
    """What compression.json says."""


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
    checkpoint, network = load_network(path)
    runs.mkdir(parents=True, exist_ok=True)
    images = open_images(plan, checkpoint, runs / CACHE)
    work = CompressionWork(
        plan, checkpoint, network, images, choose_teacher(plan, checkpoint, network), runs, on_progress
    )
    tell = on_step or (lambda _: None)
    sha256 = weights_sha256(network.state_dict())
    before = images.count_right(network) if images else None
    for config in plan.configs:
        if plan.target is not None:
            work.reach_target(config, plan.target, tell, on_layer)
        else:
            work.apply(config, tell)
    after = images.count_right(network) if images else None
    steps = work.steps
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
        "sensitivity": [_describe_sensitivity(one) for one in work.found],
        **{
            figure: getattr(step, figure)
            for step, when in ((steps[0], "before"), (steps[-1], "after"))
            for figure in (f"params_{when}", f"macs_{when}", f"size_bytes_{when}")
        },
    }
    folder = runs / (name or _free_name(runs, path, plan))
    kept = dataclasses.replace(
        work.described,
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
