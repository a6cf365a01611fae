"""Lightning's checkpoints without its pickle: tensors in safetensors, all else as JSON in the same file's header."""

import json
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from lightning.fabric.plugins.io.checkpoint_io import CheckpointIO
from torch import Tensor

from mobisdk.errors import DataError
from mobisdk.files import write_atomically

_METADATA_KEY = "mobisdk.training-state/1"
_TENSOR = "$tensor"
_LAYOUT = "channels_last"
"""Kept, because kernels for other layouts may round differently, and a resumed training must not differ."""
_ITEMS = "$items"


class SafetensorsIO(CheckpointIO):
    """Writes optimizer, schedule, averages and progress to one file that is whole or not there."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None) -> None:  # noqa: ARG002
        """Write `checkpoint`, a tree of dicts, lists, plain values and tensors."""
        tensors: dict[str, Tensor] = {}
        tree = json.dumps(_take_tensors(checkpoint, tensors))
        write_atomically(Path(path), safetensors.torch.save(tensors, {_METADATA_KEY: tree}))

    def load_checkpoint(
        self,
        path: str | Path,
        map_location: Any = None,  # noqa: ARG002
        weights_only: bool | None = None,  # noqa: ARG002
    ) -> dict[str, Any]:
        """Read what `save_checkpoint` wrote, with lists where there were tuples.

        Raises:
            DataError: the file is missing, damaged, or no training state of ours.
        """
        try:
            with safetensors.safe_open(path, framework="pt") as file:
                tree = json.loads(file.metadata()[_METADATA_KEY])
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118, it is no dict
            checkpoint: dict[str, Any] = _put_tensors(tree, tensors)
        except (OSError, safetensors.SafetensorError, KeyError, TypeError, ValueError) as error:
            raise DataError(f"the training's state cannot be read ({error})", got=str(path)) from error
        return checkpoint

    def remove_checkpoint(self, path: str | Path) -> None:
        """Delete the file."""
        Path(path).unlink(missing_ok=True)


def _take_tensors(value: Any, tensors: dict[str, Tensor]) -> Any:
    """`value` as JSON can hold it; its tensors move to `tensors` and leave their names behind."""
    if isinstance(value, Tensor):
        name = str(len(tensors))
        tensors[name] = value.detach().cpu().contiguous()
        return {_TENSOR: name, _LAYOUT: value.dim() == 4 and not value.is_contiguous()}
    if isinstance(value, dict):
        # A list of pairs, since JSON would make text of an optimizer's numbered parameters.
        return {_ITEMS: [[key, _take_tensors(item, tensors)] for key, item in value.items()]}
    if isinstance(value, list | tuple):
        return [_take_tensors(item, tensors) for item in value]
    return value


def _put_tensors(value: Any, tensors: dict[str, Tensor]) -> Any:
    if isinstance(value, list):
        return [_put_tensors(item, tensors) for item in value]
    if not isinstance(value, dict):
        return value
    if _TENSOR in value:
        tensor = tensors[value[_TENSOR]]
        return tensor.contiguous(memory_format=torch.channels_last) if value[_LAYOUT] else tensor
    return {key: _put_tensors(item, tensors) for key, item in value[_ITEMS]}
