"""Operations that are known to leave Apple's Neural Engine, as far as public rules say.

Apple publishes no list, and Core ML decides on the phone: this warns, it does not promise. What a phone really did is
in its latency log (`placement`).
"""

import dataclasses
from collections import Counter
from collections.abc import Callable
from typing import Any

_MEASURED = "https://github.com/hollance/neural-engine/blob/master/docs/unsupported-layers.md"
_APPLE = "https://apple.github.io/coremltools/docs-guides/source/typed-execution.html"
_FLOAT32 = 11
_LAYERS = ("conv", "conv_transpose", "linear", "matmul", "einsum")
_POOLS = ("avg_pool", "l2_pool", "max_pool")
_UPSAMPLING = ("resize_bilinear", "resize_nearest_neighbor", "upsample_bilinear", "upsample_nearest_neighbor", "resize")


@dataclasses.dataclass(frozen=True)
class LeavesNeuralEngine:
    """Operations of one type that are known to run elsewhere."""

    op: str
    count: int
    reason: str
    source: str


def find_leaving(block: Any, inputs: Any) -> tuple[LeavesNeuralEngine, ...]:
    """Look through a program's block of operations; `inputs` are its function's."""
    values = _Values(block, inputs)
    found: Counter[tuple[str, str, str]] = Counter()
    for message in block.operations:
        for rule, reason, source in _RULES:
            if rule(message, values):
                found[message.type, reason, source] += 1
                break
    return tuple(LeavesNeuralEngine(op, count, reason, source) for (op, reason, source), count in found.most_common())


class _Values:
    """Shapes of all values, and whole numbers of the constants that are written into the program."""

    def __init__(self, block: Any, inputs: Any) -> None:
        self._shapes: dict[str, tuple[int, ...]] = {given.name: _shape(given.type) for given in inputs}
        self._ints: dict[str, list[int]] = {}
        for message in block.operations:
            self._shapes.update({output.name: _shape(output.type) for output in message.outputs})
            if message.type == "const" and "val" in message.attributes:
                self._ints[message.outputs[0].name] = _ints(message.attributes["val"])

    def ints(self, message: Any, parameter: str) -> list[int]:
        """A constant parameter's values; none where it is left out, or computed."""
        if parameter not in message.inputs:
            return []
        binding = message.inputs[parameter].arguments[0]
        return _ints(binding.value) if binding.WhichOneof("binding") == "value" else self._ints.get(binding.name, [])

    def growth(self, message: Any) -> float:
        """By how much an operation's output is longer than its `x`, along the side that grows most."""
        name = message.inputs["x"].arguments[0].name
        before, after = self._shapes.get(name, ()), _shape(message.outputs[0].type)
        return max((new / old for old, new in zip(before, after, strict=False) if old > 0), default=1.0)


def _shape(type_: Any) -> tuple[int, ...]:
    return tuple(dimension.constant.size for dimension in type_.tensorType.dimensions)


def _ints(value: Any) -> list[int]:
    return list(value.immediateValue.tensor.ints.values)


def _is_float32_layer(message: Any, _: _Values) -> bool:
    return message.type in _LAYERS and message.outputs[0].type.tensorType.dataType == _FLOAT32


def _is_dilated(message: Any, values: _Values) -> bool:
    return message.type == "conv" and any(step > 1 for step in values.ints(message, "dilations"))


def _is_wide_pool(message: Any, values: _Values) -> bool:
    if message.type not in _POOLS:
        return False
    window, stride = (max(values.ints(message, name), default=0) for name in ("kernel_sizes", "strides"))
    return window > 13 or stride > 2


def _grows_much(message: Any, values: _Values) -> bool:
    return message.type in _UPSAMPLING and values.growth(message) > 2


_RULES: tuple[tuple[Callable[[Any, _Values], bool], str, str], ...] = (
    (lambda message, _: message.type in ("gru", "lstm", "rnn"), "recurrent layers", _MEASURED),
    (lambda message, _: message.type.startswith("gather"), "gather", _MEASURED),
    (_is_dilated, "dilated convolutions", _MEASURED),
    (_is_wide_pool, "pools with a window over 13 or a stride over 2", _MEASURED),
    (_grows_much, "upsampling by more than 2", _MEASURED),
    (_is_float32_layer, "float32: the Neural Engine computes in float16", _APPLE),
)
