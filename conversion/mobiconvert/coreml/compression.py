"""Stores a Core ML program's weights in fewer bits than they are multiplied in, with coremltools' own operations.

Which weights are compressed is decided here, weight by weight: coremltools leaves out what it cannot compress with no
more than a line in a log.
"""

import dataclasses
import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mobiconvert.coreml.own_codes import ScaledCodes, match_codes, store_codes
from mobiconvert.quiet import quiet_imports
from mobiconvert.recipes.recipe import LinearWeights, OwnCodes, Palette, Sparse
from mobisdk.compression.clustering import Clusters, cluster_values, cluster_vectors
from mobisdk.compression.stored_codes import StoredCodes
from mobisdk.errors import ConversionError

with quiet_imports():
    import coremltools.optimize.coreml as opt

_FEWEST_ELEMENTS = 2048
"""coremltools' own bound. Smaller weights are about a hundredth of a network's bytes."""
_LAYERS = frozenset({"conv", "conv_transpose", "linear", "matmul"})

Storage = LinearWeights | Palette | Sparse | OwnCodes


@dataclasses.dataclass(frozen=True)
class Weight:
    """A constant of two or more dimensions."""

    name: str
    shape: tuple[int, ...]
    is_zero: bool
    layers: tuple[str, ...]
    """Names of the operations that multiply with it; none where it is used for anything else."""
    own: ScaledCodes | None = None
    """The codes that it has already."""


def compress_weights(model: Any, storage: Storage, known: Mapping[str, StoredCodes]) -> tuple[Any, dict[str, Any]]:
    """Return `model` with its weights stored as `storage` says, and what became of them, for the manifest.

    `known` are the codes that the network's layers have already.

    Raises:
        ConversionError: there is nothing to compress, so that the recipe would be a name only; or coremltools left a
            weight as it was that it was told to compress.
    """
    weights = list(_find_weights(model, known if isinstance(storage, OwnCodes) else {}))
    reasons = {weight.name: reason for weight in weights if (reason := _reason_to_keep(weight, storage))}
    chosen = [weight for weight in weights if weight.name not in reasons]
    if not chosen:
        raise ConversionError(
            "no weight of this network can be stored in fewer bits",
            got="; ".join(sorted(set(reasons.values()))) or "no weights",
            hint="Make codes with mobisdk compress, or choose a palette"
            if isinstance(storage, OwnCodes)
            else "Choose coreml_fp16: it would be the same network",
        )
    model = _compress(model, chosen, storage)
    before, after = (
        {weight.layers for weight in each if weight.layers} for each in (weights, _find_weights(model, {}))
    )
    left = sorted({weight.layers for weight in chosen} & after)
    if left or len(after) != len(before) - len({weight.layers for weight in chosen}):
        raise ConversionError(
            "coremltools left weights uncompressed", got=left, hint="Choose another recipe for this network"
        )
    return model, _describe(weights, reasons)


def _find_weights(model: Any, known: Mapping[str, StoredCodes]) -> Iterator[Weight]:
    for name, found in opt.get_weights_metadata(model, weight_threshold=1).items():
        if found.val.ndim >= 2 and np.issubdtype(found.val.dtype, np.floating):
            of_layers = all(child.op_type in _LAYERS for child in found.child_ops)
            layers = tuple(child.name for child in found.child_ops) if of_layers else ()
            own = match_codes(found.val, known) if layers else None
            yield Weight(name, found.val.shape, not found.val.any(), layers, own)


def _reason_to_keep(weight: Weight, storage: Storage) -> str | None:
    if not weight.layers:
        return "not a layer's weight"
    if isinstance(storage, OwnCodes):
        return "no codes of its own" if weight.own is None else None
    if math.prod(weight.shape) < _FEWEST_ELEMENTS:
        return f"fewer than {_FEWEST_ELEMENTS} elements"
    if weight.is_zero:
        return "all zeros"
    if isinstance(storage, LinearWeights):
        return None
    if weight.shape[1] == 1:
        # Each filter of nine weights has a scale of its own: one table, or one threshold, for all of them loses most
        # where it saves least. MobileNet's are a hundredth of its bytes.
        return "depthwise"
    if isinstance(storage, Palette) and _vector_axis(weight.shape, storage.vector) is None:
        return f"neither side is a multiple of {storage.vector}"
    return None


def _vector_axis(shape: tuple[int, ...], vector: int) -> int | None:
    """The dimension along which vectors lie: outputs where they can, else inputs, which the classes do not decide."""
    return next((axis for axis in (0, 1) if shape[axis] % vector == 0), None)


def _compress(model: Any, weights: list[Weight], storage: Storage) -> Any:
    if isinstance(storage, OwnCodes):
        return store_codes(model, {weight.name: weight.own for weight in weights if weight.own is not None})
    if isinstance(storage, LinearWeights):
        linear = opt.OpLinearQuantizerConfig(mode="linear_symmetric", weight_threshold=1)
        return opt.linear_quantize_weights(model, _configure(model, weights, lambda _: linear))
    if isinstance(storage, Palette):
        return opt.palettize_weights(model, _configure(model, weights, lambda weight: _palettizer(weight, storage)))
    pruner = opt.OpMagnitudePrunerConfig(target_sparsity=storage.share, weight_threshold=1)
    model = opt.prune_weights(model, _configure(model, weights, lambda _: pruner))
    if storage.palette is None:
        return model
    palette = storage.palette
    config = _configure(model, weights, lambda weight: _palettizer(weight, palette))
    return opt.palettize_weights(model, config, joint_compression=True)


def _configure(model: Any, weights: list[Weight], config: Callable[[Weight], Any]) -> Any:
    """By the layers' names: a weight's own is another once it is pruned.

    What else the layers read is left alone by name: two layers may share a bias, and coremltools would not know whose
    config it has.
    """
    shared = opt.get_weights_metadata(model, weight_threshold=1).keys() - {weight.name for weight in weights}
    configs = {layer: each for weight in weights for each in [config(weight)] for layer in weight.layers}
    return opt.OptimizationConfig(op_name_configs={**dict.fromkeys(sorted(shared)), **configs})


def _palettizer(weight: Weight, palette: Palette) -> Any:
    def cluster(values: NDArray[np.floating]) -> Clusters:
        if palette.vector > 1:
            return cluster_vectors(_split_into_vectors(values, palette.vector), 2**palette.bits)
        return _cluster_but_zeros(values.reshape(-1), 2**palette.bits)

    return opt.OpPalettizerConfig(
        mode="custom",
        lut_function=cluster,
        cluster_dim=palette.vector,
        granularity="per_grouped_channel" if palette.vector > 1 else "per_tensor",
        group_size=0,  # one table for all
        channel_axis=_vector_axis(weight.shape, palette.vector),
        weight_threshold=1,
    )


def _split_into_vectors(values: NDArray[np.floating], size: int) -> NDArray[np.floating]:
    """(C,*D) as C/size · D vectors of neighbours in the first dimension."""
    return np.moveaxis(values.reshape(-1, size, *values.shape[1:]), 1, -1).reshape(-1, size)


def _cluster_but_zeros(values: NDArray[np.floating], count: int) -> Clusters:
    """A pruned weight is not stored, and needs no entry."""
    places = np.zeros(values.shape, dtype=np.uint8)
    table, places[values != 0] = cluster_values(values[values != 0], count)
    return table, places


def _describe(weights: list[Weight], reasons: Mapping[str, str]) -> dict[str, Any]:
    sizes = {weight.name: math.prod(weight.shape) for weight in weights}
    compressed = [size for name, size in sizes.items() if name not in reasons]
    kept = Counter(reasons.values())
    return {
        "compressed": {"tensors": len(compressed), "elements": sum(compressed)},
        "kept": [
            {
                "reason": reason,
                "tensors": count,
                "elements": sum(sizes[name] for name in reasons if reasons[name] == reason),
            }
            for reason, count in sorted(kept.items())
        ],
    }
