"""Stores weights by the codes that they already have: a compressed network's own tables, and a scale for each output.

Batch norms are folded by now, so that a weight is its codes' times a factor for each output. Which weight belongs to
which layer is told by its values: coremltools renames them.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mobiconvert.quiet import quiet_imports
from mobisdk.compression.stored_codes import StoredCodes

with quiet_imports():
    from coremltools.converters.mil.converter import mil_convert
    from coremltools.converters.mil.frontend import _utils as frontend
    from coremltools.converters.mil.mil import Builder, Program
    from coremltools.converters.mil.mil.passes.graph_pass import AbstractGraphPass
    from coremltools.converters.mil.mil.passes.helper import block_context_manager
    from coremltools.converters.mil.mil.passes.pass_pipeline import PassPipeline
    from coremltools.models.utils import _apply_graph_pass

_ENTRIES = (2, 4, 8, 16, 64, 256)
"""That a table of Core ML may have."""
_ROUNDING = 2.0**-9
"""Float16's, of a folded weight, with room for the fold's own."""
_SPECIFICATION = 9


@dataclasses.dataclass(frozen=True)
class ScaledCodes:
    """A weight of the program."""

    layer: str
    stored: StoredCodes
    scales: NDArray[np.float16] | None
    """(out,); None where all of them are 1."""


def match_codes(weight: NDArray[np.floating], known: Mapping[str, StoredCodes]) -> ScaledCodes | None:
    """The codes that give `weight` (out, in, …), all but rounding."""
    wanted = weight.astype(np.float64).reshape(len(weight), -1)
    for layer, stored in known.items():
        unscaled = stored.materialize()
        if unscaled.shape != weight.shape:
            continue
        values = unscaled.astype(np.float64).reshape(len(weight), -1)
        squares = np.square(values).sum(1)
        scales = np.where(squares > 0, (wanted * values).sum(1) / np.maximum(squares, np.finfo(float).tiny), 1)
        difference = np.abs(wanted - scales[:, None] * values).max(1)
        if (difference <= _ROUNDING * np.abs(wanted).max(1) + np.finfo(np.float16).tiny).all():
            is_plain = np.allclose(scales, 1, rtol=1e-4, atol=0)
            return ScaledCodes(layer, stored, None if is_plain else scales.astype(np.float16))
    return None


def store_codes(model: Any, weights: Mapping[str, ScaledCodes]) -> Any:
    """Return `model` with these weights, by their names, as tables, codes and scales."""
    program = _apply_graph_pass(model, _StoreCodes(weights), spec_version=_SPECIFICATION, return_pymil_prog=True)
    # Without passes: they ran before, and one of them makes batch norms of a scale and a bias, of mixed types.
    return mil_convert(
        program,
        convert_from="milinternal",
        convert_to="mlprogram",
        specification_version=_SPECIFICATION,
        compute_units=model.compute_unit,
        model_description=model.get_spec().description,
        skip_model_load=True,
        pass_pipeline=PassPipeline.EMPTY,
    )


class _StoreCodes(AbstractGraphPass):  # type: ignore[misc]
    def __init__(self, weights: Mapping[str, ScaledCodes]) -> None:
        self._weights = weights

    def apply(self, prog: Program) -> None:
        """Replace the constants."""
        for function in prog.functions.values():
            self._apply(function)

    @block_context_manager  # type: ignore[untyped-decorator]
    def _apply(self, block: Any) -> None:
        for operation in list(block.operations):
            if operation.op_type == "const" and operation.name in self._weights:
                _replace(block, operation, self._weights[operation.name])


def _replace(block: Any, operation: Any, scaled: ScaledCodes) -> None:
    stored = scaled.stored
    books, entries, vector = stored.tables.shape
    count = next(each for each in _ENTRIES if each >= entries)
    tables = np.pad(stored.tables, ((0, 0), (0, count - entries), (0, 0)), mode="edge").astype(np.float16)
    around = [1] * (stored.codes.ndim - 2)
    weight = frontend._construct_constexpr_lut_op(
        stored.codes,
        tables.reshape(1, books, *around, count, vector),
        1 if vector > 1 else None,
        name=f"{operation.name}_codes",
        before_op=operation,
    )
    if scaled.scales is None:
        block.replace_uses_of_var_after_op(
            anchor_op=operation, old_var=operation.outputs[0], new_var=weight, no_check_var_types=True
        )
    else:
        for layer in list(operation.outputs[0].child_ops):
            _scale_output(block, layer, weight, scaled.scales)
    block.remove_ops([operation])


def _scale_output(block: Any, layer: Any, weight: Any, scales: NDArray[np.float16]) -> None:
    """Let `layer` multiply with codes, and scale its channels after it.

    A scale of the weight itself would become a table a channel: Core ML before iOS 26 wants it inside the table.
    """
    kept = {name: var for name, var in layer.inputs.items() if name not in ("weight", "bias") and var is not None}
    shape = (1, -1, 1, 1) if layer.op_type == "conv" else (-1,)
    bias = layer.inputs.get("bias")
    name = layer.outputs[0].name
    product = getattr(Builder, layer.op_type)(**kept, weight=weight, before_op=layer, name=f"{name}_product")
    result = Builder.mul(
        x=product, y=scales.reshape(shape), before_op=layer, name=name if bias is None else f"{name}_scaled"
    )
    if bias is not None:
        result = Builder.add(x=result, y=bias.val.reshape(shape), before_op=layer, name=name)
    block.replace_uses_of_var_after_op(anchor_op=layer, old_var=layer.outputs[0], new_var=result)
    block.remove_ops([layer])
