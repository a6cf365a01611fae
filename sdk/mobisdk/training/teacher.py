"""The network that another one learns from."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from mobisdk.compression import load_network
from mobisdk.data.batches import Batch, resize
from mobisdk.errors import DataError
from mobisdk.models.checkpoint import is_checkpoint, weights_sha256
from mobisdk.models.outside_weights import HUB_PREFIX, load_outside_weights, recognize_spec
from mobisdk.specs import InputSpec, ModelSpec

_NAMES_SHOWN = 5


@dataclasses.dataclass(frozen=True, eq=False)
class Teacher:
    """A trained network in evaluation mode; called with a batch, it gives its logits in the student's order."""

    network: nn.Module
    spec: ModelSpec
    input: InputSpec
    """As it expects images: its own resolution and normalization."""
    student_input: InputSpec
    """As the batches are."""
    order: Tensor
    """(num_classes,) int64: which of its logits is the one of each of the student's classes."""
    sha256: str
    """Of its weights."""

    @torch.no_grad()
    def __call__(self, batch: Batch) -> Tensor:
        """Logits (N,num_classes) of the student's own view, at the teacher's resolution."""
        return self.answer(change_view(batch.images, self.student_input, self.input))

    @torch.no_grad()
    def answer(self, images: Tensor) -> Tensor:
        """Logits (N,num_classes) of images as `input` says."""
        self.network.to(images.device)
        logits: Tensor = self.network(images)
        return logits[:, self.order.to(images.device)]


def load_teacher(source: str, classes: Sequence[str], student_input: InputSpec) -> Teacher:
    """Open a checkpoint of ours, published weights in a file, or `hf://owner/name[/file]`, as a teacher of `classes`.

    Raises:
        DataError: there are no such weights, they are damaged, or they know other classes.
        UnsupportedError: nobody known here publishes these weights.
    """
    if not source.startswith(HUB_PREFIX) and is_checkpoint(Path(source)):
        checkpoint, network = load_network(Path(source))
        spec, view, labels = checkpoint.model, checkpoint.input, checkpoint.labels
        order = _find_order(source, labels, classes)
    else:
        outside = load_outside_weights(source, recognize_spec(source))
        network, spec, view = outside.module, outside.spec, outside.input
        if spec.num_classes != len(classes):
            _refuse(source, f"{spec.num_classes} classes", classes)
        order = list(range(len(classes)))  # published weights have no names of classes: their order is the data's
    network.to(memory_format=torch.channels_last).requires_grad_(requires_grad=False)  # type: ignore[call-overload]
    sha256 = weights_sha256(network.state_dict())
    return Teacher(network, spec, view, student_input, torch.tensor(order), sha256)


def change_view(images: Tensor, found: InputSpec, wanted: InputSpec) -> Tensor:
    """Normalized images (N,3,H,W) of one input as another expects them: the same view, resized and normalized anew."""
    if (found.crop, found.mean, found.std) == (wanted.crop, wanted.mean, wanted.std):
        return images
    mean, std, new_mean, new_std = (
        torch.tensor(values, device=images.device).reshape(1, 3, 1, 1)
        for values in (found.mean, found.std, wanted.mean, wanted.std)
    )
    pixels = resize(images * std + mean, wanted.crop)
    return ((pixels - new_mean) / new_std).contiguous(memory_format=torch.channels_last)


def _find_order(source: str, labels: Sequence[str], classes: Sequence[str]) -> list[int]:
    if sorted(labels) != sorted(classes) or len(set(labels)) != len(labels):
        _refuse(source, _list_classes(labels), classes)
    return [labels.index(name) for name in classes]


def _refuse(source: str, known: str, classes: Sequence[str]) -> None:
    raise DataError(
        f"the teacher knows {known}, the data has {_list_classes(classes)}",
        got=source,
        hint="A teacher must know the data's classes: train it on the same data, or replace its head with --weights",
    )


def _list_classes(names: Sequence[str]) -> str:
    more = f", … {len(names)} in all" if len(names) > _NAMES_SHOWN else ""
    return f"{', '.join(map(repr, names[:_NAMES_SHOWN]))}{more}"
