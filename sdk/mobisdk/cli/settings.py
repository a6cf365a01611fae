"""Which of the measured settings a person means by a part of a device's name, a recipe and a thread count."""

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from mobisdk.cli.console import say
from mobisdk.errors import DataError

if TYPE_CHECKING:
    from mobisdk.latency.observations import Observation, Setting


def select_setting(
    observations: "Sequence[Observation]", device: str | None, recipe: str | None, threads: int | None
) -> "Setting":
    """Find the one setting that fits; of several runtimes or thread counts the one with the most networks, and say so.

    A device that nobody measured in `recipe` gets a setting without measurements, whose prior is the other devices. A
    table that names no device or recipe fits every one.

    Raises:
        DataError: no setting fits, or devices or recipes are left that the options do not tell apart.
    """
    import dataclasses

    every = Counter(observation.setting for observation in observations)
    chosen = select_device(observations, device)
    here = [setting for setting in every if setting.device == chosen]
    wanted = [setting for setting in here if recipe is None or setting.recipe in ("", recipe)]
    if recipe is not None and not wanted:
        peers = [setting for setting in every if setting.recipe == recipe]
        if peers:
            return dataclasses.replace(peers[0], device=chosen)
    recipes = sorted({setting.recipe for setting in wanted})
    if len(recipes) != 1:
        known = sorted({setting.recipe for setting in here})
        raise DataError("--recipe must name one that was measured", got=recipe, allowed=", ".join(known))
    fitting = [setting for setting in wanted if threads is None or setting.threads == threads]
    if not fitting:
        counts = sorted({str(setting.threads or "auto") for setting in wanted})
        raise DataError("--threads must be a count that was measured", got=threads, allowed=", ".join(counts))
    setting = max(fitting, key=lambda setting: (every[setting], setting.runtime))
    if len(fitting) > 1:
        say(f"Of {len(fitting)} settings, the one with the most networks: {setting.label}")
    return setting


def select_device(observations: "Sequence[Observation]", device: str | None) -> str:
    """Find the one device whose name holds `device`; a table that names none fits every one.

    Raises:
        DataError: nothing was measured, or no device fits, or several do.
    """
    if not observations:
        raise DataError(
            "no warm run of a known network in these logs", hint="Bench bundles that mobisdk exported: `mobisdk bench`"
        )
    every = sorted({observation.setting.device for observation in observations})
    fitting = [name for name in every if device is None or not name or device.lower() in name.lower()]
    if len(fitting) != 1:
        raise DataError(
            "--device must tell one device" if fitting else "--device fits no device",
            got=device,
            allowed="; ".join(fitting or every),
        )
    return fitting[0]
