"""A checkpoint's network, compressed or not."""

from pathlib import Path

from torch import nn

from mobisdk.compression.compress import restructure_
from mobisdk.models.checkpoint import Checkpoint, load_model
from mobisdk.specs import ModelSpec


def load_network(path: Path, *, expected: ModelSpec | None = None) -> tuple[Checkpoint, nn.Module]:
    """Build the checkpoint's network with its weights, in evaluation mode, as its compressions left it.

    Raises:
        DataError: as `load_checkpoint`, or weights or compressions do not fit the network.
        ConfigError: the checkpoint's architecture is unknown here.
    """
    return load_model(path, expected=expected, restructure_=restructure_)
