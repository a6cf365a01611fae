"""One training under Lightning, from the network's first weights, or from where it stopped."""

import contextlib
import logging
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from lightning.pytorch import Trainer

from mobisdk.data import DecodedImages
from mobisdk.models import create_model
from mobisdk.training.classification import Classification
from mobisdk.training.plan import TrainingPlan
from mobisdk.training.progress import TrainProgress
from mobisdk.training.recorder import Recorder
from mobisdk.training.runs import STATE
from mobisdk.training.small_maps import speed_up_small_maps_
from mobisdk.training.state import SafetensorsIO


def fit(
    folder: Path,
    plan: TrainingPlan,
    labels: tuple[str, ...],
    train: DecodedImages,
    test: DecodedImages,
    on_progress: Callable[[TrainProgress], None] | None,
) -> None:
    """Train until the plan's last epoch is in `folder`; a state that lies there is gone on from.

    torch's generators are left as they were.

    Raises:
        ConfigError: the architecture is unknown, or the loss is NaN or infinite.
        DataError: the state cannot be read.
        KeyboardInterrupt: Ctrl-C; what `folder` holds is whole.
    """
    with torch.random.fork_rng(devices=()), _quiet_lightning():
        # Not torch.manual_seed: that would also seed accelerators, whose state is not saved here.
        torch.default_generator.manual_seed(plan.seed)
        network = create_model(plan.model)
        speed_up_small_maps_(network)
        # Depthwise convolutions are fastest where a pixel's channels lie side by side.
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        module = Classification(network, plan, train, test)
        trainer = Trainer(
            max_epochs=plan.epochs,
            accelerator="cpu",
            devices=1,
            callbacks=[Recorder(folder, plan, labels, module, on_progress)],
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


@contextlib.contextmanager
def _quiet_lightning() -> Iterator[None]:
    """Keep from the user what Lightning says about itself."""
    logger = logging.getLogger("lightning.pytorch")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            # Its own use of torch's deprecated names.
            warnings.filterwarnings("ignore", ".*LeafSpec.*", FutureWarning)
            yield
    finally:
        logger.setLevel(level)
