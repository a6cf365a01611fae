"""Networks that are cut out of a supernet's checkpoint."""

import contextlib
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from mobisdk.errors import ConfigError
from mobisdk.specs import InputSpec, ModelSpec

if TYPE_CHECKING:
    from torch import Tensor, nn

    from mobisdk.models.checkpoint import Checkpoint

_NO_CACHE = Path(os.devnull)
"""So few images fit in memory at every resolution: no cache is made of them."""


def is_narrower(checkpoint: "Checkpoint", wanted: ModelSpec) -> bool:
    """Whether the network that is wanted must be cut out of the checkpoint's."""
    widest = checkpoint.model
    return checkpoint.supernet is not None and (wanted.alpha, wanted.resolution) != (widest.alpha, widest.resolution)


def cut_network(path: Path, wanted: ModelSpec, data: str | None) -> tuple["Checkpoint", "nn.Module"]:
    """The network of `wanted` out of a supernet, with batch-norm statistics of training images of `data`.

    None is what the supernet was trained on. It is the same network every time.

    Raises:
        ConfigError: the supernet was not trained for this α or resolution, or nobody said with which images.
        DataError: the checkpoint is damaged or of another network; there is no such data.
    """
    import torch

    from mobisdk.models.checkpoint import load_model, read_checkpoint_spec
    from mobisdk.models.supernet import has_batch_norm, narrow_spec, scale_input, slice_network

    header = read_checkpoint_spec(path)
    if header.supernet is None:
        raise ConfigError("this is no supernet's checkpoint", got=str(path), hint="Train one with --supernet")
    widest = replace(wanted, alpha=header.model.alpha, resolution=header.model.resolution)
    checkpoint, module = load_model(path, expected=widest)
    spec = narrow_spec(checkpoint.model, header.supernet, wanted.alpha, wanted.resolution)
    view = scale_input(checkpoint.input, wanted.resolution)
    images = torch.empty(0)
    if has_batch_norm(module):
        source = data or checkpoint.origin.get("data")
        if source is None:
            raise ConfigError(
                "a supernet's width needs images like those that it was trained on",
                hint="Name them: --calibration DATA",
            )
        images = load_calibration_images(source, view)
    with _one_thread():
        narrow = slice_network(module, spec, images)
    # What was measured was measured on the widest.
    return replace(checkpoint, model=spec, input=view, supernet=None, metrics={}), narrow


def load_calibration_images(source: str, view: InputSpec) -> "Tensor":
    """Normalized (N,3,crop,crop): training images, mixed, and the same ones every time.

    Raises:
        DataError: there is no such data.
    """
    import torch

    from mobisdk.data import decode_images, open_dataset
    from mobisdk.data.batches import normalize
    from mobisdk.models.supernet import calibration_order

    train = open_dataset(source).train
    chosen = [train[index] for index in calibration_order(len(train), view.crop)]
    return normalize(torch.from_numpy(decode_images(chosen, view, cache=_NO_CACHE, skip_broken=True).pixels), view)


@contextlib.contextmanager
def _one_thread() -> Iterator[None]:
    """Sums of floats are the same only in one order, and a bundle names its weights by their hash."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
