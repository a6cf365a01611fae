"""CP: a convolution becomes 1×1, vertical and horizontal filters a channel, 1×1."""

import dataclasses

import torch
from torch import Tensor, nn

from mobisdk.compression.alternating import fit_cp
from mobisdk.compression.factor_layers import build_chain, count_chain_macs, count_layer_macs, why_not
from mobisdk.compression.factor_ranks import candidate_ranks, largest_ranks, ranks_for_ratio
from mobisdk.compression.factorization import leading_subspace
from mobisdk.compression.layer_selection import select_layers
from mobisdk.compression.low_rank import (
    DEFAULT_RATIO,
    check_rank_settings,
    describe_chain,
    fill_chain_,
    ratio_ladder,
    replace_layer_,
    restructure_chains_,
)
from mobisdk.compression.result import SkippedLayer
from mobisdk.compression.technique import ANY_CONSTRAINT, Decision, Outcome, Technique, TechniqueConfig
from mobisdk.errors import ConfigError

_SCHEME = "cp"
_ROUNDS = 100
_FIRST_SHARE = 1 / 16
"""Of the largest rank: where the search for an energy starts; it doubles."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class CpConfig(TechniqueConfig):
    """How far k×k convolutions are split.

    Source: Lebedev et al. 2014 (arXiv:1412.6553).
    """

    method = "cp"
    energy: float | None = None
    """Share of the squared weights that the ranks keep."""
    ratio: float | None = None
    """Share of a layer's multiply-adds that may be left; 0.4 where neither this nor `energy` is given."""
    restarts: int = 2
    """Alternating least squares starts so often, and the best is kept."""
    multiple: int = 8
    """Ranks are rounded to it: what hardware likes."""

    def __post_init__(self) -> None:
        """Check every field."""
        super().__post_init__()
        check_rank_settings(self)
        if not isinstance(self.restarts, int) or not 1 <= self.restarts <= 100:
            raise ConfigError("restarts must be a whole number", got=self.restarts, allowed="1 to 100")


def _transform_(model: nn.Module, config: CpConfig, images: Tensor) -> Outcome:  # noqa: ARG001
    layers, shared = select_layers(model, config)
    decisions: dict[str, Decision] = {}
    skipped = list(shared)
    for name, layer in layers.items():
        if isinstance(layer, nn.Linear) or set(layer.kernel_size) == {1}:
            skipped.append(SkippedLayer(name, "a filter is one number a channel: low_rank splits it"))
        elif reason := why_not(layer):
            skipped.append(SkippedLayer(name, reason))
        elif (found := _factor(layer, config)) is None:
            goal = (
                f"{config.ratio or DEFAULT_RATIO:g} of its multiply-adds"
                if config.energy is None
                else (f"its multiply-adds to keep {config.energy:g} of its squared weights")
            )
            skipped.append(SkippedLayer(name, f"too small: no rank takes at most {goal}"))
        else:
            chain = build_chain(layer, _SCHEME, (found[0].shape[0],))
            fill_chain_(chain, layer, found)
            replace_layer_(model, name, chain)
            decisions[name] = describe_chain(_SCHEME, (found[0].shape[0],))
    return Outcome(decisions, tuple(skipped))


def _factor(layer: nn.Conv2d, config: CpConfig) -> tuple[Tensor, Tensor, Tensor, Tensor] | None:
    """The chain's weights; None where no rank is cheap enough."""
    weight = layer.weight.detach().double()
    if config.energy is None:
        ranks = ranks_for_ratio(layer, _SCHEME, config.ratio or DEFAULT_RATIO, config.multiple)
        return None if ranks is None else factor_cp(weight, *ranks, restarts=config.restarts)
    tried = list(candidate_ranks(largest_ranks(layer, _SCHEME), config.multiple))
    step = max(0, round(len(tried) * _FIRST_SHARE) - 1)
    while step < len(tried):
        (rank,) = tried[step]
        if count_chain_macs(layer, _SCHEME, (rank,)) >= count_layer_macs(layer):
            return None
        factors = factor_cp(weight, rank, restarts=config.restarts)
        lost = (weight - join_cp(*factors)).square().sum() / weight.square().sum()
        if 1 - lost >= config.energy:
            return factors
        step = 2 * step + 1
    return None


def factor_cp(weight: Tensor, rank: int, *, restarts: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Reduce (rank, in, 1, 1), vertical (rank, 1, rows, 1), horizontal (rank, 1, 1, columns), expand (out, rank, 1, 1).

    A tensor of rank R lies in the R leading directions of its channels: least squares alternate over the small core of
    these, and the factors are turned back.

    Source: Lebedev et al. 2014 (arXiv:1412.6553), section 3; Carroll et al. 1980, "Candelinc", for the core.
    """
    kernel = weight.double()
    outward = leading_subspace(kernel.flatten(1), rank)
    inward = leading_subspace(kernel.transpose(0, 1).flatten(1), rank)
    core = torch.einsum("oiyx,or,is->rsyx", kernel, outward, inward)
    factors = fit_cp(core[None], rank, starts=restarts, rounds=_ROUNDS)
    out, ins, rows, columns = (factor[0] for factor in factors)
    out, ins = outward @ out, inward @ ins
    return ins.T[:, :, None, None], rows.T[:, None, :, None], columns.T[:, None, None, :], out[:, :, None, None]


def join_cp(reduce: Tensor, vertical: Tensor, horizontal: Tensor, expand: Tensor) -> Tensor:
    """The filters (out, in, rows, columns) that the chain stands for."""
    return torch.einsum(
        "or,ri,ry,rx->oiyx", expand.flatten(1), reduce.flatten(1), vertical.flatten(1), horizontal.flatten(1)
    )


TECHNIQUE = Technique(CpConfig, _transform_, restructure_chains_, ladder=ratio_ladder, clashes=ANY_CONSTRAINT)
