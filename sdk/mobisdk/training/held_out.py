"""What a network says of the held-out images; of a run computed when it is asked for, so training need not keep it."""

from pathlib import Path

import numpy as np
import torch
from torch import nn

from mobisdk.accuracy import Evaluation
from mobisdk.data import DecodedImages, decode_images, open_dataset
from mobisdk.data.batches import HeldOutBatches, resize
from mobisdk.errors import DataError
from mobisdk.models.checkpoint import load_model
from mobisdk.training.runs import CACHE, RunSummary

_BATCH = 256


@torch.no_grad()
def count_correct(network: nn.Module, batches: HeldOutBatches, resolution: int | None = None) -> int:
    """How many images of `batches` a network in evaluation mode names right, at their own resolution or another."""
    return sum(
        int((network(resize(batch.images, resolution or batch.images.shape[-1])).argmax(1) == batch.labels).sum())
        for batch in batches
    )


def evaluate_run(run: RunSummary) -> tuple[Evaluation, DecodedImages]:
    """Name every held-out image of the run's data by its network.

    Raises:
        DataError: no epoch is whole yet, the data is gone or has changed, or the checkpoint is damaged.
    """
    if run.checkpoint is None:
        raise DataError("no epoch of the run is whole yet", got=run.name)
    checkpoint, network = load_model(run.checkpoint)
    dataset = open_dataset(run.plan.data)
    if dataset.sha256 != run.data["sha256"]:
        raise DataError("the data has changed since the training", got=run.plan.data)
    cache: Path = run.folder.parent / CACHE
    images = decode_images(dataset.test, checkpoint.input, cache=cache, skip_broken=run.plan.skip_broken)
    with torch.inference_mode():
        named = [
            network(batch.images).argmax(1).numpy()
            for batch in HeldOutBatches(images, checkpoint.input, batch_size=_BATCH)
        ]
    predictions = np.concatenate(named).astype(np.int64)
    return Evaluation(dataset.classes, images.labels, predictions, dataset.sha256, images.broken), images
