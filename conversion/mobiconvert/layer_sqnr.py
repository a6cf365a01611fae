"""How far each layer of a changed network is from the same layer of the network itself, on the same images.

Layers are those with weights: convolutions and products of matrices. Both networks run as a whole, so a layer's figure
holds the errors of all layers before it; where it falls steeply from one to the next, that next one does the damage.
A batch norm that alone reads a layer counts as part of it: some toolchains fold it, some do not.
"""

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch.export import ExportedProgram
from torch.fx import Interpreter, Node

from mobiconvert.deployment import DeployedNetwork
from mobiconvert.mil_evaluator import MilProgram, evaluate, load_mil_program
from mobiconvert.mil_evaluator.program import Step
from mobiconvert.parity import compute_sqnr_db
from mobisdk.errors import UnsupportedError

LayerKind = Literal["convolution", "product"]

_TORCH_KINDS: dict[str, LayerKind] = {
    **dict.fromkeys(("conv1d", "conv2d", "conv3d", "convolution", "conv_transpose2d"), "convolution"),
    **dict.fromkeys(("linear", "addmm", "mm", "bmm", "matmul"), "product"),
}
_MIL_KINDS: dict[str, LayerKind] = {
    **dict.fromkeys(("conv", "conv_transpose"), "convolution"),
    **dict.fromkeys(("linear", "matmul"), "product"),
}


@dataclasses.dataclass(frozen=True)
class LayerOutput:
    """What a layer gave for one image."""

    name: str
    kind: LayerKind
    values: NDArray[np.float64]


@dataclasses.dataclass(frozen=True)
class LayerSqnr:
    """One layer's signal to quantization noise, over some images."""

    layer: str
    """The module's path in the user's network, such as `blocks.3.depthwise.conv`."""
    kind: LayerKind
    sqnr_db: float


LayerTap = Callable[[NDArray[np.uint8]], list[LayerOutput]]
"""Runs a network on one (H,W,3) uint8 image; its layers' outputs in the order in which they are computed."""


def tap_program(program: ExportedProgram) -> LayerTap:
    """The layers of a torch graph, quantized or not, that takes (1,3,H,W) float32 in [0,1]."""
    graph = program.module(check_guards=False)

    def run(image: NDArray[np.uint8]) -> list[LayerOutput]:
        recorder = _Recorder(graph)
        with torch.no_grad():
            recorder.run(torch.from_numpy(image.transpose(2, 0, 1)[None].astype(np.float32) / 255))
        return recorder.layers

    return run


def tap_mil_program(program: MilProgram) -> LayerTap:
    """The layers of a Core ML program with one image input."""
    (given,) = program.inputs
    layers = {name: step for step in program.steps if (name := _mil_layer(step, program.steps))}

    def run(image: NDArray[np.uint8]) -> list[LayerOutput]:
        planes = image.transpose(2, 0, 1)[None].astype(np.float32)
        values = evaluate(program, {given.name: planes if given.kind == "image" else planes / 255}, also=layers)
        return [
            LayerOutput(name, _MIL_KINDS[step.type], values[name].astype(np.float64)) for name, step in layers.items()
        ]

    return run


def measure_layers(reference: LayerTap, actual: LayerTap, images: NDArray[np.uint8]) -> tuple[LayerSqnr, ...]:
    """Compare two networks layer by layer on (N,H,W,3) uint8 images; names are the reference's.

    Raises:
        UnsupportedError: they do not have the same layers, so that no layer has its counterpart.
    """
    signal: dict[int, float] = {}
    noise: dict[int, float] = {}
    named: Sequence[LayerOutput] = ()
    for image in images:
        named = reference(image)
        for index, (ours, theirs) in enumerate(_pair(named, actual(image))):
            signal[index] = signal.get(index, 0.0) + float(np.sum(ours.values**2))
            error = ours.values.reshape(-1) - theirs.values.reshape(-1)
            noise[index] = noise.get(index, 0.0) + float(np.sum(error**2))
    return tuple(
        LayerSqnr(layer.name, layer.kind, compute_sqnr_db(signal[index], noise[index]))
        for index, layer in enumerate(named)
    )


def measure_package_layers(package: Path, network: DeployedNetwork, images: NDArray[np.uint8]) -> tuple[LayerSqnr, ...]:
    """Compare a Core ML package with the network it was made from, layer by layer, on (N,H,W,3) uint8 images.

    Raises:
        BundleError: the package is damaged, or cannot be computed.
        UnsupportedError: the evaluator does not know an operation of it, or its layers are not the network's.
    """
    height, width = images.shape[1:3]
    program = torch.export.export(network.eval(), (torch.zeros(1, 3, height, width),))
    return measure_layers(tap_program(program), tap_mil_program(load_mil_program(package)), images)


def worst_layers(layers: Sequence[LayerSqnr], count: int = 5) -> list[LayerSqnr]:
    """The `count` layers with the lowest SQNR, the lowest first."""
    return sorted(layers, key=lambda layer: layer.sqnr_db)[:count]


def _pair(ours: Sequence[LayerOutput], theirs: Sequence[LayerOutput]) -> list[tuple[LayerOutput, LayerOutput]]:
    """Each layer and its counterpart: the first convolution is the first convolution, whatever it is called."""
    waiting = {kind: iter([layer for layer in theirs if layer.kind == kind]) for kind in ("convolution", "product")}
    pairs = [(layer, other) for layer in ours if (other := next(waiting[layer.kind], None)) is not None]
    if not len(pairs) == len(ours) == len(theirs) or any(a.values.size != b.values.size for a, b in pairs):
        raise UnsupportedError(
            "the artefact's layers are not the network's: they cannot be compared one by one",
            got=f"{len(theirs)} layers",
            allowed=f"{len(ours)} of the same sizes",
        )
    return pairs


class _Recorder(Interpreter):
    """Runs a graph and keeps what its layers give."""

    def __init__(self, graph: torch.nn.Module) -> None:
        super().__init__(graph)
        self.layers: list[LayerOutput] = []

    def run_node(self, n: Node) -> Any:
        """Run as usual, and keep the result of a layer."""
        result = super().run_node(n)
        layer = _layer_of(n)
        if layer is not None:
            kind = _TORCH_KINDS[_operator(layer)]
            self.layers.append(LayerOutput(_module_path(layer), kind, result.detach().double().numpy().copy()))
        return result


def _operator(node: Node) -> str:
    return str(node.target).split(".")[1] if str(node.target).startswith("aten.") else ""


def _layer_of(node: Node) -> Node | None:
    """The layer whose output this node is: itself, or what it normalizes."""
    if _operator(node) in ("batch_norm", "_native_batch_norm_legit_no_training"):
        source = node.args[0]
        return source if isinstance(source, Node) and _is_layer(source) and len(source.users) == 1 else None
    followed = any("batch_norm" in _operator(user) for user in node.users)
    return node if _is_layer(node) and not (followed and len(node.users) == 1) else None


def _is_layer(node: Node) -> bool:
    return node.op == "call_function" and _operator(node) in _TORCH_KINDS


def _module_path(node: Node) -> str:
    stack = node.meta.get("nn_module_stack")
    path = str(list(stack.values())[-1][0]) if stack else ""
    return path.removeprefix("network.") or node.name


def _mil_layer(step: Step, steps: Sequence[Step]) -> str | None:
    """The name of a layer's output, or None where the step is no layer."""
    if step.type not in _MIL_KINDS:
        return None
    name: str = step.results[0][0]
    readers = [each for each in steps if name in each.value_names()]
    return readers[0].results[0][0] if [each.type for each in readers] == ["batch_norm"] else name
