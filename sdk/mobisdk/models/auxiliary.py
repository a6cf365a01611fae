"""Networks that are also taught half way."""

from typing import Final, Protocol, runtime_checkable

from torch import Tensor

AUXILIARY_WEIGHT: Final = 0.3
"""Of the auxiliary head's loss. Source: Szegedy et al. 2014 (arXiv:1409.4842), section 5."""


@runtime_checkable
class HasAuxiliaryHead(Protocol):
    """A network whose training loss has a second part."""

    def forward_with_auxiliary(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Logits (N,num_classes), and the auxiliary head's of the same shape."""
        ...
