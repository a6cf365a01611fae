"""What a network costs before anybody runs it: parameters, multiply-adds and bytes, in all and per layer."""

import dataclasses
import math
from collections import defaultdict
from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.func import functional_call

from mobisdk.errors import ConfigError, UnsupportedError
from mobisdk.layers import StructuredLinear
from mobisdk.layers.parametrized import is_inside_parametrization, parametrizations_of
from mobisdk.models.evaluation_mode import evaluation_mode
from mobisdk.models.quick_shapes import QuickShapes
from mobisdk.models.registry import create_model
from mobisdk.specs import ModelSpec


@dataclasses.dataclass(frozen=True)
class LayerCost:
    """One layer that has parameters."""

    name: str
    """As in `model.named_modules()`."""
    kind: str
    """conv1x1, depthwise, conv, dense, structured or norm."""
    output_shape: tuple[int, ...]
    """(N,C,H,W) or (N,C); empty where the forward pass does not reach the layer."""
    params: int
    weights: int
    """Parameters that take part in multiply-adds: neither biases nor norms."""
    macs: int
    size_bytes: int
    map_bytes: int
    """What it reads and writes beside its parameters: its input and its output."""

    @property
    def intensity(self) -> float:
        """Multiply-adds a byte that is moved: low ones wait for memory, high ones for arithmetic.

        Source: Williams et al. 2009, "Roofline", Communications of the ACM 52(4), with multiply-adds for operations.
        """
        return self.macs / (self.size_bytes + self.map_bytes) if self.macs else 0.0


@dataclasses.dataclass(frozen=True)
class Cost:
    """A network's cost, and its layers' in the order in which they are registered.

    `macs` counts convolutions and dense layers, as the papers do. `size_bytes` is the parameters' in the module's own
    types; running statistics are not counted, since conversion folds them into the convolutions.
    """

    params: int
    macs: int
    size_bytes: int
    layers: tuple[LayerCost, ...]


@dataclasses.dataclass(frozen=True)
class KindCost:
    """What all layers of one kind cost together."""

    kind: str
    layers: int
    params: int
    weights: int
    macs: int
    macs_share: float
    """Of the network's multiply-adds, 0 to 1."""
    weights_share: float
    """Of the network's weights, 0 to 1: neither biases nor norms, or else the paper's figures do not come out."""


def cost_by_kind(cost: Cost) -> tuple[KindCost, ...]:
    """Sum the layers by kind, the most multiply-adds first.

    Source: Howard et al. 2017 (arXiv:1704.04861), table 2.
    """
    groups: dict[str, list[LayerCost]] = defaultdict(list)
    for layer in cost.layers:
        groups[layer.kind].append(layer)
    all_weights = sum(layer.weights for layer in cost.layers)
    kinds = [_kind_cost(kind, layers, cost.macs, all_weights) for kind, layers in groups.items()]
    return tuple(sorted(kinds, key=lambda kind: kind.macs, reverse=True))


def count_spec_cost(spec: ModelSpec) -> Cost:
    """Cost of one image through the network of `spec`; nothing is allocated.

    Raises:
        ConfigError: the architecture is unknown, or α leaves a layer without a channel.
    """
    with torch.device("meta"), QuickShapes():
        model = create_model(spec)
    return count_cost(model, (1, 3, spec.resolution, spec.resolution))


def count_cost(model: nn.Module, input_shape: tuple[int, ...]) -> Cost:
    """Cost of one pass of `input_shape` through any network, on any device; nothing is allocated or changed.

    Raises:
        ConfigError: the network does not take this shape.
        UnsupportedError: a layer has parameters, and how many multiply-adds it makes is not known.
    """
    layers = {
        name: module
        for name, module in model.named_modules()
        if _own_parameters(module) and not is_inside_parametrization(name)
    }
    kinds = {name: _kind(name, module) for name, module in layers.items()}
    outputs: dict[nn.Module, list[tuple[int, ...]]] = defaultdict(list)
    map_bytes: dict[nn.Module, int] = defaultdict(int)

    def note_maps(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        outputs[module].append(tuple(output.shape))
        map_bytes[module] += sum(tensor.numel() * tensor.element_size() for tensor in (*inputs, output))

    hooks = [module.register_forward_hook(note_maps) for module in layers.values()]
    try:
        _run_on_meta(model, input_shape)
    finally:
        for hook in hooks:
            hook.remove()

    counted: set[nn.Parameter] = set()
    costs = []
    for name, module in layers.items():
        parameters = [parameter for parameter in _own_parameters(module) if parameter not in counted]
        counted.update(parameters)  # a tied parameter costs once
        costs.append(_layer_cost(name, kinds[name], module, parameters, outputs[module], map_bytes[module]))
    return Cost(
        params=sum(cost.params for cost in costs),
        macs=sum(cost.macs for cost in costs),
        size_bytes=sum(cost.size_bytes for cost in costs),
        layers=tuple(costs),
    )


def _kind_cost(kind: str, layers: list[LayerCost], all_macs: int, all_weights: int) -> KindCost:
    macs = sum(layer.macs for layer in layers)
    weights = sum(layer.weights for layer in layers)
    return KindCost(
        kind=kind,
        layers=len(layers),
        params=sum(layer.params for layer in layers),
        weights=weights,
        macs=macs,
        macs_share=macs / all_macs if all_macs else 0.0,
        weights_share=weights / all_weights if all_weights else 0.0,
    )


def _own_parameters(module: nn.Module) -> list[nn.Parameter]:
    """The module's own; where one is parametrized, what is trained in its stead."""
    own = list(module.parameters(recurse=False))
    for steps in parametrizations_of(module).values():
        own += steps.parameters()
    return own


def _own_tensors(module: nn.Module) -> Iterator[tuple[str, Tensor]]:
    yield from module.named_parameters(recurse=False, remove_duplicate=False)
    yield from module.named_buffers(recurse=False, remove_duplicate=False)


def _kind(name: str, module: nn.Module) -> str:
    match module:
        case nn.modules.conv._ConvNd():
            if module.groups == module.in_channels > 1:
                return "depthwise"
            return "conv1x1" if set(module.kernel_size) == {1} else "conv"
        case nn.Linear():
            return "dense"
        case StructuredLinear():
            return "structured"
        case nn.modules.batchnorm._NormBase() | nn.GroupNorm() | nn.LayerNorm():
            return "norm"
    raise UnsupportedError(
        "the multiply-adds of a layer are not known",
        got=f"{type(module).__name__} at {name or 'the top'}",
        allowed="convolutions, linear layers, structured ones and norms",
    )


def _run_on_meta(model: nn.Module, input_shape: tuple[int, ...]) -> None:
    """Run shapes without values: parameters and buffers are replaced for the length of the call."""
    on_meta = {
        f"{path}.{name}" if path else name: tensor
        if tensor.is_meta
        else torch.empty(tensor.shape, dtype=tensor.dtype, device="meta")
        for path, module in model.named_modules()
        for name, tensor in _own_tensors(module)
    }
    dtype = next((tensor.dtype for tensor in on_meta.values() if tensor.is_floating_point()), torch.float32)
    try:
        with evaluation_mode(model), torch.no_grad(), QuickShapes():
            # Every place of a tied tensor is listed, once a module: torch's own tying does not restore a module that
            # is registered twice.
            image = torch.empty(input_shape, dtype=dtype, device="meta")
            functional_call(model, on_meta, (image,), tie_weights=False)
    except RuntimeError as error:
        raise ConfigError("the network does not take an input of this shape", got=input_shape) from error


def _layer_cost(
    name: str,
    kind: str,
    module: nn.Module,
    parameters: list[nn.Parameter],
    outputs: list[tuple[int, ...]],
    map_bytes: int,
) -> LayerCost:
    weights = 0
    macs = 0
    if isinstance(module, StructuredLinear):
        weights = sum(parameter.numel() for parameter in parameters if parameter is not module.bias)
        macs = sum(module.count_macs() * math.prod(shape[:-1]) for shape in outputs)
    elif kind != "norm":
        weight: Tensor = getattr(module, "weight")  # noqa: B009, it may be parametrized
        # (out, in / groups, *kernel) or (out, in); transposed: (in, out, …)
        macs = sum(math.prod(shape) for shape in outputs) * math.prod(weight.shape[1:])
        if isinstance(module, nn.modules.conv._ConvTransposeNd):
            # A value of the input meets the filter once; `stride` of them lie where one of the input does.
            macs = macs * module.in_channels // (module.out_channels * math.prod(module.stride))
        weights = sum(parameter.numel() for parameter in parameters if parameter is not module.bias)
    return LayerCost(
        name=name,
        kind=kind,
        output_shape=outputs[-1] if outputs else (),
        params=sum(parameter.numel() for parameter in parameters),
        weights=weights,
        macs=macs,
        size_bytes=sum(parameter.numel() * parameter.element_size() for parameter in parameters),
        map_bytes=map_bytes,
    )
