"""The network as a phone gets it: normalization is part of the graph."""

import copy

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from mobisdk.specs import InputSpec

_BATCH = 4


class DeployedNetwork(nn.Module):
    """Takes (N,3,H,W) RGB in [0,1], gives logits (N, classes)."""

    mean: torch.Tensor
    inverse_std: torch.Tensor

    def __init__(self, network: nn.Module, spec: InputSpec) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("mean", torch.tensor(spec.mean).reshape(1, 3, 1, 1))
        self.register_buffer("inverse_std", 1 / torch.tensor(spec.std).reshape(1, 3, 1, 1))

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Normalize, and run the network."""
        # Not x·scale + shift: coremltools makes a batch norm of that, whose epsilon of 1e-5 is an error of 5e-6.
        logits: torch.Tensor = self.network((image - self.mean) * self.inverse_std)
        return logits


def compute_logits(
    deployed: DeployedNetwork, images: NDArray[np.uint8], dtype: torch.dtype = torch.float64
) -> NDArray[np.float64]:
    """Run (N,H,W,3) uint8 images through the network in that precision; logits (N, classes)."""
    network = copy.deepcopy(deployed).to(dtype).eval()
    batches = np.array_split(images, range(_BATCH, len(images), _BATCH))
    with torch.inference_mode():
        logits = [network(torch.from_numpy(batch).permute(0, 3, 1, 2).to(dtype) / 255) for batch in batches]
    return torch.cat(logits).double().numpy()
