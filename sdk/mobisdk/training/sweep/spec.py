"""What is swept: every architecture × α × ρ of a grid, all else equal."""

import dataclasses
import itertools
from collections.abc import Mapping, Sequence
from typing import Any

from mobisdk.errors import ConfigError
from mobisdk.specs import ModelSpec, spec_from_dict
from mobisdk.training.spec import TrainSpec

_MOST_TRIALS = 1_000


@dataclasses.dataclass(frozen=True)
class Trial:
    """One training of a sweep."""

    name: str
    """Of its run's folder."""
    spec: TrainSpec
    params: int
    macs: int


@dataclasses.dataclass(frozen=True)
class SweepSpec:
    """A grid of networks, and how each of them is trained.

    Raises:
        ConfigError: a list is empty, the grid is too large, or a value is outside what is allowed.
    """

    archs: tuple[str, ...]
    alphas: tuple[float, ...]
    resolutions: tuple[int, ...]
    train: TrainSpec
    """What all share; the dials of its network are not used."""

    def __post_init__(self) -> None:
        """Check every network; what is listed twice counts once."""
        for field in ("archs", "alphas", "resolutions"):
            values = tuple(dict.fromkeys(getattr(self, field)))
            if not values:
                raise ConfigError(f"{field} of a sweep are missing", got=values, allowed="one or more")
            object.__setattr__(self, field, values)
        if len(self.models) > _MOST_TRIALS:
            raise ConfigError("the grid is too large", got=len(self.models), allowed=f"{_MOST_TRIALS} trials")

    @property
    def models(self) -> tuple[ModelSpec, ...]:
        """Every network of the grid."""
        return tuple(
            dataclasses.replace(self.train.model, arch=arch, alpha=alpha, resolution=resolution)
            for arch, alpha, resolution in itertools.product(self.archs, self.alphas, self.resolutions)
        )

    def plan_trials(self, name: str, num_classes: int) -> tuple[Trial, ...]:
        """The grid's trainings, with what their networks cost.

        Raises:
            ConfigError: a network cannot be built.
        """
        from mobisdk.cost import count_spec_cost  # torch

        trials = []
        for model in self.models:
            cost = count_spec_cost(dataclasses.replace(model, num_classes=num_classes))
            spec = dataclasses.replace(self.train, model=model)
            trials.append(Trial(f"{name}-{model.name}", spec, cost.params, cost.macs))
        return tuple(trials)


def sweep_from_dict(values: Mapping[str, Any]) -> SweepSpec:
    """Read what `dataclasses.asdict` gave.

    Raises:
        ConfigError: a key is unknown or missing, or a value is outside what is allowed.
    """
    try:
        train = {**values["train"], "model": spec_from_dict(ModelSpec, values["train"]["model"])}
        lists: dict[str, Sequence[Any]] = {field: values[field] for field in ("archs", "alphas", "resolutions")}
        return SweepSpec(**{field: tuple(items) for field, items in lists.items()}, train=TrainSpec(**train))
    except (KeyError, TypeError) as error:
        raise ConfigError("the settings are not a sweep's", got=str(error)) from error
