"""Quantization with error correction: codes and codewords that keep a layer's responses to changed inputs."""

import dataclasses
import zlib
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from mobisdk.compression.layer_inputs import unfold_inputs

_MOST_IMAGES = 32
_MOST_ROWS = 4096
_ROUNDS = 2
_CODEWORD_STEPS = 8
_RIDGE = 1e-3


@dataclasses.dataclass(frozen=True)
class LayerInputs:
    """What a layer multiplies its filters with, on images."""

    rows: Tensor
    """(N, in · kernel): some of the places of all images."""


def sample_inputs(model: nn.Module, names: Sequence[str], images: Tensor) -> dict[str, LayerInputs]:
    """The inputs of these layers, at the same places on every call; none of a layer whose padding is its own."""
    found: dict[str, LayerInputs] = {}

    def keep(name: str, layer: nn.Module, features: Tensor) -> None:
        rows = unfold_inputs(layer, features)
        if rows is not None and name not in found:
            generator = torch.Generator().manual_seed(zlib.crc32(name.encode()))
            places = torch.randperm(len(rows), generator=generator)[:_MOST_ROWS]
            found[name] = LayerInputs(rows[places])

    hooks = [
        model.get_submodule(name).register_forward_pre_hook(
            lambda layer, inputs, name=name: keep(name, layer, inputs[0])
        )
        for name in names
    ]
    try:
        model(images[:_MOST_IMAGES])
    finally:
        for hook in hooks:
            hook.remove()
    return found


def correct_codes(
    weight: Tensor, codes: Tensor, codewords: Tensor, wanted: LayerInputs, actual: LayerInputs
) -> tuple[Tensor, Tensor]:
    """Codes and codewords with a small ‖X̃ W − X Ŵ‖²: X̃ the inputs before anything changed, X those of now.

    In turns: each group of inputs takes the best codeword for each output, all others fixed; then all codewords move,
    by conjugate gradients on the least squares.

    Source: Wu et al. 2016 (arXiv:1512.06473), section 3.3, equations 13 to 18.
    """
    fitted = _Fit(weight, codes, codewords, wanted.rows.double(), actual.rows.double())
    for _ in range(_ROUNDS):
        fitted.choose_codes()
        fitted.move_codewords()
    return fitted.codes, fitted.codewords.to(codewords)


class _Fit:
    """Everything as matrices: a row for each of the in · kernel inputs, in blocks of a vector; a column an output."""

    def __init__(self, weight: Tensor, codes: Tensor, codewords: Tensor, wanted: Tensor, actual: Tensor) -> None:
        outputs, groups = codes.shape[:2]
        vector = codewords.shape[2]
        inputs = torch.arange(weight[0].numel()).view(groups, vector, -1)  # (groups, vector, kernel)
        self._blocks = inputs.transpose(1, 2).reshape(-1, vector)
        self._books = torch.arange(groups).repeat_interleave(inputs.shape[2]) if len(codewords) > 1 else None
        self._shape = codes.shape
        self._codes = codes.reshape(outputs, -1).T.long()  # (blocks, out)
        self.codewords = codewords.double()
        matrix = weight.flatten(1).T.double()
        self._gram = actual.T @ actual
        # Where images say nothing, a ridge pulls to the weight itself.
        ridge = _RIDGE * float(self._gram.diagonal().mean()) or 1.0
        self._gram.diagonal().add_(ridge)
        self._target = actual.T @ (wanted @ matrix) + ridge * matrix

    @property
    def codes(self) -> Tensor:
        """In the shape in which they came."""
        return self._codes.T.reshape(self._shape).to(torch.uint8)

    def choose_codes(self) -> None:
        """One block after another."""
        matrix = self._gather(self.codewords)
        left = self._target - self._gram @ matrix
        for place, rows in enumerate(self._blocks):
            book = self.codewords[0 if self._books is None else int(self._books[place])]
            gram = self._gram[rows][:, rows]
            cross = left[rows] + gram @ matrix[rows]  # (vector, out)
            costs = torch.einsum("kv,vw,kw->k", book, gram, book)[:, None] - 2 * book @ cross
            self._codes[place] = costs.argmin(0)
            change = book[self._codes[place]].T - matrix[rows]
            matrix[rows] += change
            left -= self._gram[:, rows] @ change

    def move_codewords(self) -> None:
        """Conjugate gradients, from where they are."""
        residual = self._scatter(self._target - self._gram @ self._gather(self.codewords))
        direction, squared = residual.clone(), float(residual.square().sum())
        for _ in range(_CODEWORD_STEPS):
            if squared == 0:
                break
            image = self._scatter(self._gram @ self._gather(direction))
            step = squared / float((direction * image).sum())
            self.codewords = self.codewords + step * direction
            residual = residual - step * image
            previous, squared = squared, float(residual.square().sum())
            direction = residual + squared / previous * direction

    def _rows(self) -> Tensor:
        """Of the codebooks, one after another: (blocks, out)."""
        if self._books is None:
            return self._codes
        return self._codes + self.codewords.shape[1] * self._books[:, None]

    def _gather(self, codewords: Tensor) -> Tensor:
        vectors = codewords.flatten(0, 1)[self._rows()]  # (blocks, out, vector)
        matrix = codewords.new_empty(self._blocks.numel(), vectors.shape[1])
        matrix[self._blocks.flatten()] = vectors.transpose(1, 2).flatten(0, 1)
        return matrix

    def _scatter(self, matrix: Tensor) -> Tensor:
        """The sum of what belongs to each codeword."""
        vectors = matrix[self._blocks.flatten()].view(*self._blocks.shape, -1).transpose(1, 2)
        sums = torch.zeros_like(self.codewords).flatten(0, 1)
        return sums.index_add_(0, self._rows().flatten(), vectors.flatten(0, 1)).view_as(self.codewords)
