"""The networks that `export` makes bundles of: from a checkpoint, or with the weights of a seed."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mobisdk.specs import InputSpec, ModelSpec

if TYPE_CHECKING:
    from torch import nn

    from mobiconvert import Recipe, WeightsOrigin
    from mobisdk.bundle import Bundle
    from mobisdk.models.checkpoint import Checkpoint

_SEED = 0
_LEAST_IMAGES, _MOST_IMAGES = 16, 256


@dataclasses.dataclass(frozen=True)
class Network:
    """A network with weights, and all that a bundle says of it."""

    module: "nn.Module"
    spec: ModelSpec
    input: InputSpec
    weights: "WeightsOrigin"
    labels: tuple[str, ...] | None = None
    compression: tuple[Mapping[str, Any], ...] = ()
    data: str | None = None
    """What it was trained on, as `--data` took it."""


def create_untrained_network(spec: ModelSpec) -> Network:
    """Build the network with random weights, and batch-norm statistics from crops of the packaged photographs.

    Without such statistics the logits would be the same for every image, and no check of the artefact could fail.
    """
    import torch

    from mobiconvert import WeightsOrigin
    from mobisdk.data.photographs import photograph_crops
    from mobisdk.models.untrained import adapt_to_images_, create_untrained_model, open_activations_

    input_spec = InputSpec.for_resolution(spec.resolution)
    module = create_untrained_model(spec, seed=_SEED)
    open_activations_(module)
    # Small images have few pixels to take statistics from, and cost little.
    count = max(_LEAST_IMAGES, min(_MOST_IMAGES, _LEAST_IMAGES * (224 // spec.resolution) ** 2))
    crops = torch.from_numpy(photograph_crops(count, input_spec)).permute(0, 3, 1, 2).float() / 255
    mean, std = (torch.tensor(values).reshape(1, 3, 1, 1) for values in (input_spec.mean, input_spec.std))
    adapt_to_images_(module, (crops - mean) / std)
    detail = f"seed {_SEED}, batch-norm statistics from {count} crops of scikit-learn's photographs"
    return Network(module, spec, input_spec, WeightsOrigin("random", detail))


def load_trained_network(path: Path, wanted: Mapping[str, Any], data: str | None = None) -> Network:
    """Read a checkpoint whose ModelSpec must have the values in `wanted`; out of a supernet's that network is cut.

    Its batch-norm statistics are then of the images of `data`, or of what it was trained on.

    Raises:
        DataError: it is damaged, a pickle, or of another spec.
        ConfigError: it is a supernet's that was not trained for this α or resolution, or there are no images.
    """
    from mobisdk.cli.supernet import cut_network, is_narrower
    from mobisdk.compression import load_network
    from mobisdk.models.checkpoint import read_checkpoint_spec

    header = read_checkpoint_spec(path)
    expected = dataclasses.replace(header.model, **wanted)
    if is_narrower(header, expected):
        checkpoint, module = cut_network(path, expected, data)
    else:
        checkpoint, module = load_network(path, expected=expected)
    return Network(
        module,
        checkpoint.model,
        checkpoint.input,
        _describe_origin(checkpoint, path),
        checkpoint.labels,
        checkpoint.compression,
        checkpoint.origin.get("data"),
    )


def _describe_origin(checkpoint: "Checkpoint", path: Path) -> "WeightsOrigin":
    from mobiconvert import WeightsOrigin

    if "hub" in checkpoint.origin:
        return WeightsOrigin("hub", str(checkpoint.origin["hub"]))
    return WeightsOrigin("checkpoint", str(checkpoint.origin.get("run", path.name)))


def convert_network(network: Network, recipe: "Recipe", output: Path, **settings: Any) -> "Bundle":
    """Write the network's bundle to the folder `output`; `settings` are those of `mobiconvert.convert`.

    Raises:
        MobiError: as `mobiconvert.convert`.
    """
    from mobiconvert import convert

    return convert(
        network.module,
        network.input,
        recipe,
        output,
        weights=network.weights,
        model_spec=network.spec,
        labels=network.labels,
        compression=network.compression,
        **settings,
    )
