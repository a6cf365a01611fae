"""A checkpoint: one .safetensors file whose header says which network the weights belong to.

The header is JSON and the weights are plain numbers: nothing in the file is ever executed.
"""

import dataclasses
import hashlib
import json
import shlex
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import Tensor, nn

from mobisdk.errors import ConfigError, DataError
from mobisdk.files import write_atomically
from mobisdk.models.untrained import create_untrained_model
from mobisdk.specs import InputSpec, ModelSpec, SupernetSpec, spec_from_dict

SCHEMA = "mobisdk.checkpoint/1"
# One key only: safetensors does not keep the order of several, and equal checkpoints should be equal bytes.
_METADATA_KEY = "mobisdk"
_ZIP_START = b"PK\x03\x04"
_PICKLE_STARTS = tuple(bytes([0x80, protocol]) for protocol in range(2, 6))


@dataclasses.dataclass(frozen=True)
class Checkpoint:
    """Everything about trained weights but the weights.

    Raises:
        ConfigError: the labels or the input do not fit the network.
    """

    model: ModelSpec
    input: InputSpec
    labels: tuple[str, ...]
    """One a class, in the logits' order."""
    compression: tuple[dict[str, Any], ...] = ()
    """What was done to the network, in order: one JSON object a technique."""
    origin: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    """Where the weights come from, as JSON: data set, run, epoch."""
    metrics: Mapping[str, float] = dataclasses.field(default_factory=dict)
    """What was measured on them: accuracy, loss."""
    supernet: SupernetSpec | None = None
    """Where the weights are many networks': `model` is the largest of them."""

    def __post_init__(self) -> None:
        """Check that the labels and the input fit the network, and that the rest is of the right kind."""
        if not all(isinstance(step, dict) for step in self.compression):
            raise ConfigError("compression must be JSON objects, one a technique", got=self.compression)
        for field in ("origin", "metrics"):
            if not isinstance(getattr(self, field), Mapping):
                raise ConfigError(f"{field} must be a JSON object", got=getattr(self, field))
        for label in self.labels:
            if not isinstance(label, str) or not label.strip() or len(label.splitlines()) != 1:
                raise ConfigError("a label must be one line of text", got=label)
        if len(self.labels) != self.model.num_classes:
            raise ConfigError(
                "a checkpoint needs a label a class", got=len(self.labels), allowed=str(self.model.num_classes)
            )
        if self.input.crop != self.model.resolution:
            raise ConfigError(
                "the input's crop must be the network's resolution",
                got=self.input.crop,
                allowed=str(self.model.resolution),
            )


def save_checkpoint(path: Path, checkpoint: Checkpoint, state: Mapping[str, Tensor]) -> None:
    """Write one file that is whole or not there.

    Raises:
        DataError: a weight is NaN or infinite.
        ConfigError: compression, origin or metrics cannot be JSON.
        OSError: the disk is full, or the folder cannot be written.
    """
    _check_finite(path, state)
    try:
        text = json.dumps(checkpoint_to_json(checkpoint), sort_keys=True, ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"compression, origin and metrics must be JSON ({error})") from error
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in state.items()}
    write_atomically(path, safetensors.torch.save(tensors, {_METADATA_KEY: text}))


def checkpoint_to_json(checkpoint: Checkpoint) -> dict[str, Any]:
    """The header that stands before the weights."""
    return {"schema": SCHEMA, **dataclasses.asdict(checkpoint)}


def checkpoint_from_json(document: Mapping[str, Any]) -> Checkpoint:
    """Read what `checkpoint_to_json` gave.

    Raises:
        DataError: it is of another schema, or wrong.
    """
    try:
        header = dict(document)
        if header.pop("schema") != SCHEMA:
            raise DataError("the checkpoint is of another schema", got=document["schema"], allowed=SCHEMA)
        supernet = header.pop("supernet", None)  # older files know of none
        return Checkpoint(
            model=spec_from_dict(ModelSpec, header.pop("model")),
            input=spec_from_dict(InputSpec, header.pop("input")),
            labels=tuple(header.pop("labels")),
            compression=tuple(header.pop("compression")),
            supernet=None if supernet is None else spec_from_dict(SupernetSpec, supernet),
            **header,
        )
    except (ConfigError, AttributeError, KeyError, TypeError, ValueError) as error:
        raise DataError(str(error)) from error


def read_checkpoint_spec(path: Path) -> Checkpoint:
    """Read the header alone: quick however large the network.

    Raises:
        DataError: the file is missing or damaged, a pickle, or no checkpoint of ours.
    """
    with _open(path) as file:
        return _parse_header(path, file.metadata())


def is_checkpoint(path: Path) -> bool:
    """Whether a safetensors file says of which network of ours its weights are.

    Raises:
        DataError: the file is missing or damaged, or a pickle.
    """
    with _open(path) as file:
        return _METADATA_KEY in (file.metadata() or {})


def load_checkpoint(path: Path, *, expected: ModelSpec | None = None) -> tuple[Checkpoint, dict[str, Tensor]]:
    """Read header and weights, on the CPU.

    Raises:
        DataError: the file is missing or damaged, a pickle, no checkpoint of ours, or of another spec than `expected`;
            a weight is NaN or infinite.
    """
    with _open(path) as file:
        checkpoint = _parse_header(path, file.metadata())
        if expected is not None:
            _check_spec(path, checkpoint.model, expected)
        state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118, it is no dict
    _check_finite(path, state)
    return checkpoint, state


def load_model(
    path: Path,
    *,
    expected: ModelSpec | None = None,
    restructure_: Callable[[nn.Module, Sequence[Mapping[str, Any]]], None] | None = None,
) -> tuple[Checkpoint, nn.Module]:
    """Build the checkpoint's network with its weights, in evaluation mode.

    `restructure_` gives it the structure that `Checkpoint.compression` says; `mobisdk.compression.load_network` passes
    the one that knows every technique.

    Raises:
        DataError: as `load_checkpoint`, the weights do not fit the network, or it was compressed and nothing is given
            that restructures it.
        ConfigError: the checkpoint's architecture is unknown here.
    """
    checkpoint, state = load_checkpoint(path, expected=expected)
    model = create_untrained_model(checkpoint.model, seed=0)
    if checkpoint.compression:
        if restructure_ is None:
            raise DataError(
                "the checkpoint's network was compressed", got=str(path), hint="Load it with compression.load_network"
            )
        restructure_(model, checkpoint.compression)
    load_weights_(model, state)
    return checkpoint, model


def load_weights_(model: nn.Module, state: Mapping[str, Tensor]) -> None:
    """Copy these weights into `model`: all of them, and no others.

    Raises:
        DataError: weights are missing, left over, or of another shape or type; every one of them is named.
    """
    wanted = model.state_dict()
    complaints = [f"{name} is missing" for name in wanted if name not in state]
    complaints += [f"{name} is left over" for name in state if name not in wanted]
    for name, tensor in wanted.items():
        if name in state and _kind(state[name]) != _kind(tensor):
            complaints.append(f"{name} is {_kind(state[name])}, not {_kind(tensor)}")
    if complaints:
        raise DataError(f"the weights do not fit {type(model).__name__}: {'; '.join(complaints)}")
    model.load_state_dict(dict(state))


def weights_sha256(state: Mapping[str, Tensor]) -> str:
    """SHA-256 over names, types, shapes and values, in the names' order: the same weights have the same hash."""
    digest = hashlib.sha256()
    for name in sorted(state):
        tensor = state[name].detach().cpu().contiguous()
        digest.update(json.dumps([name, str(tensor.dtype), list(tensor.shape)]).encode() + b"\n")
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _kind(tensor: Tensor) -> str:
    return f"{str(tensor.dtype).removeprefix('torch.')}{list(tensor.shape)}"


def _open(path: Path) -> Any:
    """Open with safetensors, which checks that the header is sound and the file as long as the header says."""
    try:
        return safetensors.safe_open(path, framework="pt")
    except FileNotFoundError as error:
        raise DataError("there is no checkpoint here", got=str(path)) from error
    except OSError as error:
        raise DataError(f"the checkpoint cannot be read ({error.strerror or error})", got=str(path)) from error
    except safetensors.SafetensorError as error:
        refuse_pickle(path)
        raise DataError(f"the checkpoint is damaged, or is none ({error})", got=str(path)) from error


def refuse_pickle(path: Path) -> None:
    """Raise where the file begins as a pickle does.

    Raises:
        DataError: it does; with the command that turns a state dict into safetensors.
    """
    with path.open("rb") as file:
        start = file.read(len(_ZIP_START))
    if start == _ZIP_START or start.startswith(_PICKLE_STARTS):
        target = shlex.quote(str(path.with_suffix(".safetensors")))
        raise DataError(
            "a pickled checkpoint can run any code, and was not read",
            got=str(path),
            allowed=".safetensors",
            hint="If it holds a state dict, turn it into safetensors with: "
            f"mobisdk weights convert {shlex.quote(str(path))} {target}",
        )


def _parse_header(path: Path, metadata: Mapping[str, str] | None) -> Checkpoint:
    if metadata is None or _METADATA_KEY not in metadata:
        raise DataError(
            "the file has weights, and does not say of which network",
            got=str(path),
            hint="Say it with mobisdk.models.checkpoint: "
            "save_checkpoint(path, Checkpoint(ModelSpec(…), InputSpec(…), labels), safetensors.torch.load_file(path))",
        )
    try:
        return checkpoint_from_json(json.loads(metadata[_METADATA_KEY]))
    except (DataError, ValueError, RecursionError) as error:
        raise DataError(f"the checkpoint's header is wrong ({error})", got=str(path)) from error


def _check_spec(path: Path, found: ModelSpec, expected: ModelSpec) -> None:
    wanted = dataclasses.asdict(expected)
    differences = [
        f"{field} is {value!r}, not {wanted[field]!r}"
        for field, value in dataclasses.asdict(found).items()
        if value != wanted[field]
    ]
    if differences:
        raise DataError(f"the checkpoint is of another network: {'; '.join(differences)}", got=str(path))


def _check_finite(path: Path, state: Mapping[str, Tensor]) -> None:
    broken = [name for name, tensor in state.items() if not tensor.isfinite().all()]
    if broken:
        raise DataError(f"weights are NaN or infinite: {', '.join(broken)}", got=str(path))
