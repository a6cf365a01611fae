"""One training under Lightning, from the network's first weights, or from where it stopped."""

import contextlib
import logging
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Trainer
from lightning.pytorch.strategies import DDPStrategy
from torch import nn

from mobisdk.data import DecodedImages
from mobisdk.data.batches import TrainingImages
from mobisdk.models import create_model
from mobisdk.models.head import freeze_all_but_heads_
from mobisdk.training.classification import Classification
from mobisdk.training.fast_convolutions import sped_up_convolutions
from mobisdk.training.objective import Objective, balance_classes, cross_entropy
from mobisdk.training.plan import TrainingPlan
from mobisdk.training.processes import Processes, launched
from mobisdk.training.progress import TrainProgress
from mobisdk.training.recorder import Recorder
from mobisdk.training.runs import STATE
from mobisdk.training.sandwich import sandwich
from mobisdk.training.state import SafetensorsIO
from mobisdk.training.threads import count_parts, part_threads, split_over_threads
from mobisdk.training.width_accuracy import measure_widths

_ONE = Processes()


def fit(
    folder: Path,
    plan: TrainingPlan,
    labels: tuple[str, ...],
    train: TrainingImages,
    test: DecodedImages,
    on_progress: Callable[[TrainProgress], None] | None,
    *,
    network: nn.Module | None = None,
    objective: Objective | None = None,
    compression: Sequence[dict[str, Any]] = (),
    processes: Processes = _ONE,
) -> list[dict[str, Any]]:
    """Train until the plan's last epoch is in `folder`; a state that lies there is gone on from.

    `network` is trained in place of a fresh one of the plan's: any module that takes the plan's images. It then has the
    weights that are kept, the average where there is one, in evaluation mode. `objective` is minimized in place of the
    plan's cross-entropy. `compression` is what was done to the network, for the checkpoint to say. Of several
    `processes` each calls this; the first writes, and all are given the metrics, one object an epoch.

    torch's generators are left as they were.

    Raises:
        ConfigError: the architecture is unknown, or the loss is NaN or infinite.
        DataError: the state cannot be read, or the processes see different data.
        DeviceError: the processes do not find each other.
        OSError: the disk is full; what `folder` holds is whole.
        KeyboardInterrupt: Ctrl-C; what `folder` holds is whole.
        SystemExit: SIGTERM, with status 143; the state of the last step is in `folder`.
    """
    with contextlib.ExitStack() as stack:
        stack.enter_context(torch.random.fork_rng(devices=()))
        stack.enter_context(_quiet_lightning())
        stack.enter_context(launched(processes))
        # Not torch.manual_seed: that would also seed accelerators, whose state is not saved here.
        torch.default_generator.manual_seed(plan.seed)
        if network is None:
            network = create_model(plan.model)
        if plan.device == "cpu":
            stack.enter_context(sped_up_convolutions(network))
        # Depthwise convolutions are fastest where a pixel's channels lie side by side.
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        network.train()
        if plan.freeze:
            freeze_all_but_heads_(network)
        if objective is None:
            labels_seen = torch.from_numpy(train.labels)
            weights = balance_classes(labels_seen, plan.model.num_classes) if plan.class_weights else None
            objective = cross_entropy(plan.label_smoothing, weights)
        parts = count_parts(network, plan, processes.size)
        widths = None
        if plan.supernet is not None and isinstance(train, DecodedImages):
            objective = sandwich(plan.model, plan.supernet, objective, parts=parts)
            widths = measure_widths(plan.model, plan.input, plan.supernet, train, test)
        threads = stack.enter_context(part_threads(parts))
        objective = split_over_threads(objective, network, threads)
        module = Classification(network, objective, plan, train, test, processes.part, threads)
        recorder = Recorder(folder, plan, labels, compression, module, on_progress, widths)
        trainer = Trainer(
            max_epochs=plan.epochs,
            accelerator=plan.device,
            devices=processes.a_machine,
            num_nodes=processes.size // processes.a_machine,
            strategy=_choose_strategy(processes, plan),
            sync_batchnorm=processes.size > 1 and plan.device == "cuda",  # torch has none for the CPU
            callbacks=[recorder],
            plugins=[SafetensorsIO()],
            reload_dataloaders_every_n_epochs=1,  # every epoch has an order of its own
            use_distributed_sampler=False,
            num_sanity_val_steps=0,
            logger=False,
            enable_checkpointing=False,  # Lightning's are pickles; the recorder writes ours
            enable_progress_bar=False,
            enable_model_summary=False,
        )
        state = folder / STATE
        try:
            trainer.fit(module, ckpt_path=state if state.exists() else None)
        except SystemExit as error:
            if isinstance(error.__context__, KeyboardInterrupt):  # Lightning makes Ctrl-C an exit with status 1
                raise KeyboardInterrupt from error
            raise
        network.load_state_dict(module.result.state_dict())
        network.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]  # as converters take it
        network.eval()
        return recorder.metrics


def _choose_strategy(processes: Processes, plan: TrainingPlan) -> str | DDPStrategy:
    if processes.size == 1:
        return "auto"
    return DDPStrategy(process_group_backend="gloo" if plan.device == "cpu" else "nccl")


@contextlib.contextmanager
def _quiet_lightning() -> Iterator[None]:
    """Keep from the user what Lightning says about itself."""
    loggers = [logging.getLogger(name) for name in ("lightning.pytorch", "lightning.fabric")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            # Its own use of torch's deprecated names.
            warnings.filterwarnings("ignore", ".*LeafSpec.*", FutureWarning)
            # Frozen batch norms are meant to be.
            warnings.filterwarnings("ignore", ".*in eval mode at the start of training", UserWarning)
            # Of 1×1 filters, whose layout is the same either way.
            warnings.filterwarnings("ignore", "Grad strides do not match bucket view strides", UserWarning)
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
