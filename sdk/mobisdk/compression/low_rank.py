"""Low rank: layers become chains of cheaper ones, fitted to their filters or to their responses."""

import dataclasses
import typing
from collections.abc import Mapping
from typing import Any, Literal

from torch import Tensor, nn

from mobisdk.compression.factor_layers import build_chain, count_chain_macs, count_layer_macs, why_not
from mobisdk.compression.factor_ranks import largest_ranks, ranks_for_energy, ranks_for_ratio
from mobisdk.compression.factorization import factor_scheme_1, factor_scheme_2, factor_svd, factor_tucker_2
from mobisdk.compression.layer_selection import CompressibleLayer, find_layer, select_layers
from mobisdk.compression.reconstruction import fit_last_, record_responses
from mobisdk.compression.result import SkippedLayer
from mobisdk.compression.technique import ANY_CONSTRAINT, Decision, Outcome, Technique, TechniqueConfig
from mobisdk.errors import ConfigError, DataError

DEFAULT_RATIO = 0.4
_LADDER = (0.75, 0.55, 0.4, 0.3, 0.2, 0.12)
Scheme = Literal["scheme_1", "scheme_2", "tucker_2"]
Reconstruction = Literal["filters", "data"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class LowRankConfig(TechniqueConfig):
    """How k×k convolutions are split, and how far; 1×1 convolutions and dense layers always by SVD.

    Source: Jaderberg et al. 2014 (arXiv:1405.3866); Kim et al. 2015 (arXiv:1511.06530) for Tucker-2.
    """

    method = "low_rank"
    scheme: Scheme = "tucker_2"
    energy: float | None = None
    """Share of the squared weights that the ranks keep."""
    ratio: float | None = None
    """Share of a layer's multiply-adds that may be left; 0.4 where neither this nor `energy` is given."""
    reconstruction: Reconstruction = "filters"
    multiple: int = 8
    """Ranks are rounded to it: what hardware likes."""

    def __post_init__(self) -> None:
        """Check every field."""
        super().__post_init__()
        if self.scheme not in typing.get_args(Scheme):
            raise ConfigError("scheme is unknown", got=self.scheme, allowed=", ".join(typing.get_args(Scheme)))
        if self.reconstruction not in typing.get_args(Reconstruction):
            raise ConfigError("reconstruction is unknown", got=self.reconstruction, allowed="filters, data")
        check_rank_settings(self)


def check_rank_settings(config: Any) -> None:
    """Check `energy`, `ratio` and `multiple`, of which the first two exclude each other.

    Raises:
        ConfigError: one is outside what is allowed, or both are given.
    """
    if config.energy is not None and config.ratio is not None:
        raise ConfigError("energy and ratio decide the same ranks", got=[config.energy, config.ratio], allowed="one")
    for field in ("energy", "ratio"):
        value = getattr(config, field)
        if value is not None and not (isinstance(value, int | float) and 0 < value < 1):
            raise ConfigError(f"{field} must be a share", got=value, allowed=f"0 < {field} < 1")
    if not isinstance(config.multiple, int) or not 1 <= config.multiple <= 64:
        raise ConfigError("multiple must be a whole number", got=config.multiple, allowed="1 to 64")


def ratio_ladder(config: Any) -> tuple[TechniqueConfig, ...]:
    """The same config at ratios from gentle to strong."""
    return tuple(dataclasses.replace(config, energy=None, ratio=ratio) for ratio in _LADDER)


def _transform_(model: nn.Module, config: LowRankConfig, images: Tensor) -> Outcome:
    layers, shared = select_layers(model, config)
    decisions: dict[str, Decision] = {}
    skipped = list(shared)
    responses = record_responses(model, layers, images) if config.reconstruction == "data" else {}
    for name, layer in layers.items():
        scheme = scheme_of(layer, config.scheme)
        ranks, reason = _choose_ranks(layer, scheme, config)
        if ranks is None:
            skipped.append(SkippedLayer(name, reason))
            continue
        chain = build_chain(layer, scheme, ranks)
        fill_chain_(chain, layer, _factor(layer, scheme, ranks))
        replace_layer_(model, name, chain)
        if config.reconstruction == "data":
            if name not in responses:
                skipped.append(SkippedLayer(name, "the forward pass does not reach it: fitted to its filters"))
            else:
                fit_last_(model, name, responses[name], images)
        decisions[name] = describe_chain(scheme, ranks)
    return Outcome(decisions, tuple(skipped))


def scheme_of(layer: CompressibleLayer, wanted: str) -> str:
    """SVD where a filter is one number a channel."""
    return "svd" if isinstance(layer, nn.Linear) or set(layer.kernel_size) == {1} else wanted


def _choose_ranks(layer: CompressibleLayer, scheme: str, config: LowRankConfig) -> tuple[tuple[int, ...] | None, str]:
    """Ranks, or why there are none."""
    if reason := why_not(layer):
        return None, reason
    if config.energy is not None:
        ranks = ranks_for_energy(layer, scheme, config.energy, config.multiple)
        before, after = count_layer_macs(layer), count_chain_macs(layer, scheme, ranks)
        if after >= before:
            shown = " × ".join(map(str, ranks))
            return None, f"rank {shown}, which keeps {config.energy:g}, makes {after / before:.2f} × the multiply-adds"
        return ranks, ""
    ratio = DEFAULT_RATIO if config.ratio is None else config.ratio
    ranks_that_fit = ranks_for_ratio(layer, scheme, ratio, config.multiple)
    return ranks_that_fit, f"too small: rank {config.multiple} makes more than {ratio:g} of its multiply-adds"


def _factor(layer: CompressibleLayer, scheme: str, ranks: tuple[int, ...]) -> tuple[Tensor, ...]:
    weight = layer.weight.detach()
    match scheme:
        case "svd":
            reduce, expand = factor_svd(weight.flatten(1), *ranks)
            return (
                (reduce, expand) if isinstance(layer, nn.Linear) else (reduce[..., None, None], expand[..., None, None])
            )
        case "scheme_1":
            return factor_scheme_1(weight, *ranks)
        case "scheme_2":
            return factor_scheme_2(weight, *ranks)
    return factor_tucker_2(weight, *ranks)


def fill_chain_(chain: nn.Sequential, layer: CompressibleLayer, factors: tuple[Tensor, ...]) -> None:
    """Give the chain its factors, and its last layer the bias."""
    for part, factor in zip(chain, factors, strict=True):
        part.get_parameter("weight").copy_(factor)
    if layer.bias is not None:
        chain[-1].get_parameter("bias").copy_(layer.bias)


def replace_layer_(model: nn.Module, name: str, chain: nn.Sequential) -> None:
    """Put the chain in the layer's place, on its device, in its type and in its mode."""
    layer = find_layer(model, name)
    chain.to(layer.weight)
    model.set_submodule(name, chain.train(layer.training))


def describe_chain(scheme: str, ranks: tuple[int, ...]) -> Decision:
    """What a table and a checkpoint say of a chain."""
    shown = " × ".join(map(str, ranks))
    return Decision(f"{scheme}, rank {shown}", {"scheme": scheme, "ranks": list(ranks)})


def restructure_chains_(model: nn.Module, layers: Mapping[str, Any]) -> None:
    """Put a chain in the place of every layer that a record names.

    Raises:
        DataError: there is no such layer, or a rank is no size of it.
    """
    for name, structure in layers.items():
        layer = find_layer(model, name)
        ranks = tuple(structure["ranks"])
        largest = largest_ranks(layer, structure["scheme"])
        if not all(isinstance(rank, int) and 1 <= rank <= most for rank, most in zip(ranks, largest, strict=True)):
            raise DataError(f"a rank of {name} is none that it can have", got=list(ranks), allowed=f"at most {largest}")
        replace_layer_(model, name, build_chain(layer, structure["scheme"], ranks))


TECHNIQUE = Technique(
    LowRankConfig,
    _transform_,
    restructure_chains_,
    needs_images=lambda config: config.reconstruction == "data",
    ladder=ratio_ladder,
    clashes=ANY_CONSTRAINT,
)
