"""The trained network that `mobisdk train` goes on with: a checkpoint of ours, or weights that others published."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mobisdk.cli.console import say
from mobisdk.errors import ConfigError

if TYPE_CHECKING:
    from torch import nn

    from mobisdk.models.checkpoint import Checkpoint


def open_start(
    weights: str | None, checkpoint: Path | None, options: Mapping[str, Any]
) -> "tuple[nn.Module, Checkpoint]":
    """The network with its weights, and what it is; `options` are those of a ModelSpec that the user gave.

    Raises:
        ConfigError: not one of both is given, or an option contradicts the checkpoint.
        MobiError: as `load_network` and `load_outside_weights`.
    """
    if weights is not None and checkpoint is None:
        return _open_weights(weights, options)
    if weights is not None or checkpoint is None:
        raise ConfigError("training starts from one network", got=weights, hint="Give --weights or --checkpoint")
    from mobisdk.compression import load_network

    described, network = load_network(checkpoint)
    differences = [
        f"{option} is {getattr(described.model, option)}, not {value}"
        for option, value in options.items()
        if getattr(described.model, option) != value
    ]
    if differences:
        raise ConfigError(
            f"the checkpoint is of another network: {'; '.join(differences)}",
            got=str(checkpoint),
            hint="Leave these options out",
        )
    return network, described


def _open_weights(source: str, options: Mapping[str, Any]) -> "tuple[nn.Module, Checkpoint]":
    from mobisdk.models.checkpoint import Checkpoint
    from mobisdk.models.outside_weights import load_outside_weights, recognize_spec

    spec = dataclasses.replace(recognize_spec(source), **options)
    outside = load_outside_weights(source, spec)
    say(f"{spec.name}: the weights of {source}, as {outside.publication} publishes them.")
    labels = tuple(str(number) for number in range(spec.num_classes))
    origin = {"hub": source, "publication": outside.publication}
    return outside.module, Checkpoint(outside.spec, outside.input, labels, origin=origin)
