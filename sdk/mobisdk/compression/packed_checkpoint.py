"""A checkpoint as a `.mdc` file, and back, bit for bit."""

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from mobisdk.compression.mdc_decoding import SharedSize, decode_mdc
from mobisdk.compression.mdc_encoding import DTYPES, encode_mdc
from mobisdk.compression.shared_weights import MOST_CENTROIDS, SharedWeights
from mobisdk.errors import ConfigError, DataError
from mobisdk.files import write_atomically
from mobisdk.models.checkpoint import Checkpoint, checkpoint_from_json, checkpoint_to_json

SUFFIX = ".mdc"
_CENTROIDS = "{}.parametrizations.weight.original"
_CODES = "{}.parametrizations.weight.0.codes"


def shares_weights(state: Mapping[str, Tensor]) -> bool:
    """Whether a layer of this state is what Deep Compression leaves."""
    return any(_is_shared(name, state) for name in state)


def write_packed(path: Path, checkpoint: Checkpoint, state: Mapping[str, Tensor]) -> tuple[SharedSize, ...]:
    """Pack a checkpoint whose layers share weights; return what each takes.

    Raises:
        ConfigError: no layer shares weights, or a tensor has a type that the format does not know.
        OSError: the disk is full, or the folder cannot be written.
    """
    shared = [name.removesuffix(_CODES.format("")) for name in state if _is_shared(name, state)]
    if not shared:
        raise ConfigError("no layer shares weights", allowed="networks after --method deep_compression")
    hidden = {form.format(layer) for layer in shared for form in (_CENTROIDS, _CODES)}
    tensors = {
        f"{layer}.weight": SharedWeights(state[_CENTROIDS.format(layer)].numpy(), state[_CODES.format(layer)].numpy())
        for layer in shared
    }
    plain = {name: tensor.numpy() for name, tensor in state.items() if name not in hidden}
    for name, array in plain.items():
        if array.dtype.name not in DTYPES:
            raise ConfigError(f"{name} is of a type that .mdc does not know", got=array.dtype.name)
    content = encode_mdc(checkpoint_to_json(checkpoint), {**tensors, **plain})
    write_atomically(path, content)
    return decode_mdc(content).sizes


def read_packed(path: Path) -> tuple[Checkpoint, dict[str, Tensor], tuple[SharedSize, ...]]:
    """The checkpoint and its tensors, as they were packed; and what each layer takes.

    Raises:
        DataError: the file is missing or damaged, or is none.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"the .mdc file cannot be read ({error.strerror or error})", got=str(path)) from error
    decoded = decode_mdc(content)
    state: dict[str, Tensor] = {}
    for name, tensor in decoded.tensors.items():
        if isinstance(tensor, SharedWeights):
            layer = name.removesuffix(".weight")
            state[_CENTROIDS.format(layer)] = torch.from_numpy(tensor.codebook.copy())
            state[_CODES.format(layer)] = torch.from_numpy(tensor.codes)
        else:
            state[name] = torch.from_numpy(tensor.copy())
    try:
        return checkpoint_from_json(decoded.checkpoint), state, decoded.sizes
    except DataError as error:
        raise DataError(f"the .mdc file's checkpoint is wrong ({error})", got=str(path)) from error


def _is_shared(name: str, state: Mapping[str, Tensor]) -> bool:
    if not name.endswith(_CODES.format("")):
        return False
    centroids = state.get(_CENTROIDS.format(name.removesuffix(_CODES.format(""))))
    return centroids is not None and centroids.dim() == 1 and len(centroids) <= MOST_CENTROIDS
