"""What a user asks of a run that goes on, held against the settings that it was started with."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mobisdk.errors import ConfigError

if TYPE_CHECKING:
    from mobisdk.training import RunSummary


def refuse_differences(run: "RunSummary", network: Mapping[str, Any], settings: Mapping[str, Any]) -> None:
    """Let pass what the run was started with anyway.

    Raises:
        ConfigError: a setting is another one; each is named with both values.
    """
    from mobisdk.training.plan import resolve_distillation

    plan = dataclasses.asdict(run.plan)
    asked = dict(settings)
    if asked.get("data", "digits") != "digits":
        asked["data"] = str(Path(asked["data"]).resolve())
    if "distillation" in asked:
        asked["distillation"] = dataclasses.asdict(resolve_distillation(asked["distillation"]))
    if "supernet" in asked:
        supernet = asked["supernet"]
        sizes = supernet.resolutions or (run.plan.model.resolution,)
        asked["supernet"] = dataclasses.asdict(dataclasses.replace(supernet, resolutions=sizes))
    pairs = [(option, plan["model"][option], value) for option, value in network.items()]
    for option, value in asked.items():
        was = plan.get(option)
        if isinstance(value, dict) and isinstance(was, dict):
            pairs += [(f"{option}'s {part}", was[part], wanted) for part, wanted in value.items()]
        elif value != "auto":
            pairs.append((option, was, value))
    differences = [f"{option} is {_shown(was)}, not {_shown(value)}" for option, was, value in pairs if was != value]
    if differences:
        raise ConfigError(
            f"--resume goes on with the run's own settings: {'; '.join(differences)}",
            got=run.name,
            hint="Leave these options out, or train a new run",
        )


def _shown(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
