"""The same graph in float16, between float32 images and float32 logits: a phone gives and reads what it always did."""

import copy

import torch
from torch import nn
from torch.export import ExportedProgram


class _HalfPrecision(nn.Module):
    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = copy.deepcopy(network).half()  # in place, it would round the program that it came from

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.network(image.half())
        return logits.float()


def to_half_precision(program: ExportedProgram) -> ExportedProgram:
    """Return `program`, which takes one float32 image of a fixed shape, with its weights and arithmetic in float16."""
    (image,) = program.graph_signature.user_inputs
    shape = next(node.meta["val"].shape for node in program.graph.nodes if node.name == image)
    return torch.export.export(_HalfPrecision(program.module(check_guards=False)), (torch.zeros(shape),))
