"""A training, from what the user chose to a finished run."""

import dataclasses
import importlib.metadata
import platform
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import mobisdk
from mobisdk.data import Dataset, DecodedImages, ImageRef, check_every_class, decode_images, open_dataset
from mobisdk.data.view import choose_input
from mobisdk.errors import ConfigError, DataError
from mobisdk.files import folder_atomically, remove_partials
from mobisdk.specs import InputSpec
from mobisdk.training.documents import format_document, tell_now
from mobisdk.training.names import check_name, free_name
from mobisdk.training.plan import TrainingPlan, plan_training
from mobisdk.training.processes import Processes, find_processes, is_first
from mobisdk.training.progress import TrainedRun, TrainProgress
from mobisdk.training.runs import CACHE, CHECKPOINT, SCHEMA, SPEC, START, RunSummary, read_run
from mobisdk.training.spec import TrainSpec
from mobisdk.training.teaching import Teaching, open_teaching

if TYPE_CHECKING:
    from torch import nn

    from mobisdk.data.batches import TrainingImages
    from mobisdk.models.checkpoint import Checkpoint
    from mobisdk.training.objective import Objective

OnProgress = Callable[[TrainProgress], None]
OnDecoded = Callable[[int, int], None]
"""Hears how many images are decoded, and of how many."""
OnStart = Callable[[RunSummary], None]
"""Hears what is going to be trained, once its folder is there."""


def train(
    spec: TrainSpec,
    *,
    runs: Path,
    name: str | None = None,
    devices: int | None = None,
    on_decoded: OnDecoded | None = None,
    on_start: OnStart | None = None,
    on_progress: OnProgress | None = None,
) -> TrainedRun:
    """Train a network and keep it in `runs/name`; without a name it is the network's and the data's.

    The folder appears when training starts, and is whole after every epoch. With `devices` Lightning starts this same
    program once more for each further GPU, or on the CPU for each further process; torchrun says it all by itself.

    Raises:
        ConfigError: there are fewer devices, the name is taken or cannot be a folder's, the architecture is unknown, or
            the loss is NaN.
        DataError: the data cannot be trained with: see `open_dataset` and `decode_images`.
        OSError: the disk is full, or `runs` cannot be written.
    """
    if name is not None and is_first():
        check_name(runs, name)
    if spec.freeze:
        raise ConfigError("a network that is not trained cannot be frozen", got="freeze", hint="Fine-tune one")
    started = time.monotonic()
    dataset = open_dataset(spec.data)
    plan = plan_training(spec, dataset, choose_input(dataset, spec.model.resolution))
    processes = find_processes(devices, plan.device, plan.batch_size)
    _check_budget(spec, processes)
    _check_network(plan)
    teaching = open_teaching(plan, dataset)
    splits = _decode(dataset, plan, runs / CACHE, on_decoded, teaching)
    objective = _teach(teaching, dataset, splits[0], runs / CACHE)
    if spec.budget_seconds is not None:
        plan = _fit_budget(plan, *splits, started + spec.budget_seconds, objective=objective)
    folder = _create_folder(runs, name, plan, _document(plan, dataset, *splits, teaching))
    return _fit(folder, plan, dataset.classes, splits, on_start, on_progress, processes, objective=objective)


def fine_tune(
    network: "nn.Module",
    checkpoint: "Checkpoint",
    spec: TrainSpec,
    *,
    runs: Path,
    name: str | None = None,
    devices: int | None = None,
    objective: "Objective | None" = None,
    on_decoded: OnDecoded | None = None,
    on_start: OnStart | None = None,
    on_progress: OnProgress | None = None,
) -> TrainedRun:
    """Go on training a network that is trained already, in place, on the data of `spec`; its run is kept as any.

    `checkpoint` says what the network is and what was done to it; its compression records go on to the new checkpoint,
    and its input stays. Where the data has other classes than its labels, the classifier begins anew.

    Raises:
        ConfigError: `spec` is for another network than the checkpoint's, or as `train`.
        UnsupportedError: the classifier must be replaced, and cannot.
        DataError: as `train`.
        OSError: as `train`.
    """
    import torch

    from mobisdk.models.checkpoint import save_checkpoint
    from mobisdk.models.head import replace_head_

    wanted = dataclasses.replace(spec.model, num_classes=checkpoint.model.num_classes)
    if wanted != checkpoint.model:
        raise ConfigError("fine-tuning cannot change the network", got=spec.model, allowed=str(checkpoint.model))
    if name is not None and is_first():
        check_name(runs, name)
    started = time.monotonic()
    dataset = open_dataset(spec.data)
    plan = plan_training(spec, dataset, checkpoint.input, tuned=True)
    processes = find_processes(devices, plan.device, plan.batch_size)
    _check_budget(spec, processes)
    if dataset.classes != checkpoint.labels:
        with torch.random.fork_rng(devices=()):
            torch.default_generator.manual_seed(plan.seed)
            replace_head_(network, len(dataset.classes))
    splits = _decode(dataset, plan, runs / CACHE, on_decoded)
    if spec.budget_seconds is not None:
        plan = _fit_budget(plan, *splits, started + spec.budget_seconds, network=network, objective=objective)
    start = dataclasses.replace(checkpoint, model=plan.model, labels=dataset.classes)
    document = _document(plan, dataset, *splits)
    document["start"] = {
        "origin": checkpoint.origin,
        "compression": checkpoint.compression,
        "head": "kept" if dataset.classes == checkpoint.labels else "new",
    }
    folder = _create_folder(
        runs, name, plan, document, lambda partial: save_checkpoint(partial / START, start, network.state_dict())
    )
    return _fit(
        folder,
        plan,
        dataset.classes,
        splits,
        on_start,
        on_progress,
        processes,
        network=network,
        objective=objective,
        compression=checkpoint.compression,
    )


def resume(
    folder: Path,
    *,
    network: "nn.Module | None" = None,
    objective: "Objective | None" = None,
    devices: int | None = None,
    on_decoded: OnDecoded | None = None,
    on_start: OnStart | None = None,
    on_progress: OnProgress | None = None,
) -> TrainedRun:
    """Go on with a training that was stopped, as if it had not been.

    A fine-tuning's network is built from the checkpoint that it started from; one that a checkpoint alone does not
    give, as with parametrizations, must be given as it was at the start. So must an objective.

    Raises:
        ConfigError: the run is finished, or the loss is NaN.
        DataError: there is no such run, its files are damaged, or its data has changed.
        OSError: the disk is full, or the folder cannot be written.
    """
    run = read_run(folder)
    if run.is_finished:
        raise ConfigError("the run is finished", got=run.name, hint="Train another one with `mobisdk train --name …`")
    processes = find_processes(devices, run.plan.device, run.plan.batch_size)
    if is_first():
        remove_partials(folder)
    dataset = open_dataset(run.plan.data)
    if dataset.sha256 != run.data["sha256"]:
        raise DataError(
            "the data has changed since the run started", got=run.plan.data, hint="Restore it, or train a new run"
        )
    cache = folder.parent / CACHE
    teaching = open_teaching(run.plan, dataset)
    if teaching is not None:
        teaching.check_unchanged(run.teaching or {})
    splits = _decode(dataset, run.plan, cache, on_decoded, teaching)
    objective = objective or _teach(teaching, dataset, splits[0], cache)
    if network is None and (folder / START).exists():
        from mobisdk.compression import load_network

        _, network = load_network(folder / START, expected=run.plan.model)
    return _fit(
        folder,
        run.plan,
        tuple(run.data["classes"]),
        splits,
        on_start,
        on_progress,
        processes,
        network=network,
        objective=objective,
        compression=run.start["compression"] if run.start else (),
    )


def _teach(
    teaching: Teaching | None, dataset: Dataset, train_images: "TrainingImages", cache: Path
) -> "Objective | None":
    if teaching is None:
        return None
    return teaching.build_objective((*dataset.train, *teaching.images), train_images.names, cache)


def _decode(
    dataset: Dataset,
    plan: TrainingPlan,
    cache: Path,
    on_decoded: OnDecoded | None,
    teaching: Teaching | None = None,
) -> "tuple[TrainingImages, DecodedImages]":
    """Both splits, unlabelled images behind those to train with, which are decoded now or, streamed, while training.

    Where photographs have a rim, training keeps it to cut its windows from.
    """
    whole = InputSpec(plan.input.resize, plan.input.resize, plan.input.mean, plan.input.std)
    to_train = (*dataset.train, *(teaching.images if teaching else ()))
    decoded_now = 0 if plan.stream else len(to_train)
    total = decoded_now + len(dataset.test)

    def decode(split: str, images: Sequence[ImageRef], view: InputSpec, before: int) -> DecodedImages:
        decoded = decode_images(
            images,
            view,
            cache=cache,
            skip_broken=plan.skip_broken,
            on_decoded=None if on_decoded is None else lambda done: on_decoded(before + done, total),
        )
        check_every_class(dataset.source, split, dataset.classes, decoded.labels.tolist())
        return decoded

    if plan.stream:
        from mobisdk.data.streaming import StreamedImages

        streamed = StreamedImages(to_train, whole, skip_broken=plan.skip_broken)
        return streamed, decode("test", dataset.test, plan.input, 0)
    return decode("train", to_train, whole, 0), decode("test", dataset.test, plan.input, len(to_train))


def _fit(
    folder: Path,
    plan: TrainingPlan,
    classes: tuple[str, ...],
    splits: "tuple[TrainingImages, DecodedImages]",
    on_start: OnStart | None,
    on_progress: OnProgress | None,
    processes: Processes,
    *,
    network: "nn.Module | None" = None,
    objective: "Objective | None" = None,
    compression: Sequence[dict[str, Any]] = (),
) -> TrainedRun:
    from mobisdk.training.fitting import fit  # Lightning takes seconds

    if on_start is not None and is_first():
        on_start(read_run(folder))
    metrics = fit(
        folder,
        plan,
        classes,
        *splits,
        on_progress,
        network=network,
        objective=objective,
        compression=compression,
        processes=processes,
    )
    return TrainedRun(
        folder,
        folder / CHECKPOINT,
        plan.model,
        plan.input,
        classes,
        len(metrics),
        correct=metrics[-1]["correct"],
        tested=metrics[-1]["tested"],
        seconds=sum(line["seconds"] for line in metrics),
        widths=tuple(metrics[-1].get("widths", ())),
    )


def _check_budget(spec: TrainSpec, processes: Processes) -> None:
    if spec.budget_seconds is not None and processes.size > 1:
        raise ConfigError(
            "a budget is kept by one process", got=f"{processes.size} of them", hint="Give --epochs in its place"
        )


def _fit_budget(
    plan: TrainingPlan,
    train_images: "TrainingImages",
    test_images: DecodedImages,
    deadline: float,
    *,
    network: "nn.Module | None" = None,
    objective: "Objective | None",
) -> TrainingPlan:
    """The plan with the epochs that end before `deadline`, as `time.monotonic` has it."""
    import mobisdk.training.fitting  # noqa: F401, Lightning's seconds are spent before what is left is told
    from mobisdk.training.budget import fit_epochs, measure_pace

    pace = measure_pace(plan, train_images, test_images, network, objective)
    return fit_epochs(plan, pace, deadline - time.monotonic())


def _create_folder(
    runs: Path, name: str | None, plan: TrainingPlan, document: Any, fill: Callable[[Path], None] | None = None
) -> Path:
    """The run's folder, with spec.json and what `fill` adds, whole or not there; the first process makes it."""
    folder = runs / (name or free_name(runs, plan.model.name, plan.data))
    if not is_first():
        return folder
    runs.mkdir(parents=True, exist_ok=True)
    with folder_atomically(folder) as partial:
        (partial / SPEC).write_text(format_document(document), encoding="utf-8")
        if fill is not None:
            fill(partial)
    return folder


def _document(
    plan: TrainingPlan,
    dataset: Dataset,
    train_images: "TrainingImages",
    test_images: DecodedImages,
    teaching: Teaching | None = None,
) -> Any:
    """What spec.json says."""
    return {
        "schema": SCHEMA,
        "started_at": tell_now(),
        "plan": dataclasses.asdict(plan),
        "data": {
            "source": plan.data,
            "sha256": dataset.sha256,
            "classes": dataset.classes,
            "train_images": len(train_images.labels),
            "test_images": len(test_images.labels),
            "duplicates": dataset.duplicates,
            "ignored": dataset.ignored,
            "broken": train_images.broken + test_images.broken,
        },
        "teaching": teaching and teaching.describe(),
        "versions": {
            "mobisdk": mobisdk.__version__,
            "python": platform.python_version(),
            **{package: importlib.metadata.version(package) for package in ("torch", "lightning")},
        },
    }


def _check_network(plan: TrainingPlan) -> None:
    """Find out that a network cannot be built before anything is decoded or written."""
    import torch

    from mobisdk.models import create_model

    with torch.device("meta"):
        network = create_model(plan.model)
    if plan.supernet is not None:
        from mobisdk.models.supernet import NarrowNetwork, narrow_spec

        for resolution in plan.supernet.resolutions:
            NarrowNetwork(network, narrow_spec(plan.model, plan.supernet, plan.supernet.alphas[0], resolution))
