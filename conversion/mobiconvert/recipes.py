"""Recipes: one string each for target × backend × precision, with what it needs and what it promises.

Recipes are data; `executorch.py` and `coreml.py` do what they say.
"""

import dataclasses
import difflib
from typing import Literal

from mobisdk.errors import ConfigError
from mobisdk.specs import Platform, TargetSpec

Precision = Literal["fp32", "fp16"]


@dataclasses.dataclass(frozen=True)
class Recipe:
    """One way to turn a network into what a phone runs."""

    name: str
    platform: Platform
    runtime: str
    backend: str
    precision: Precision
    min_os: str
    needs: str
    promise: str
    error: float
    """Relative error of the logits that an untrained network may show against torch: its largest absolute error over
    its largest logit. A random network amplifies rounding; a trained one stays far below."""
    golden_margin: float
    """What another phone's rounding may add to the golden's error here, relative to its largest logit."""
    compute_units: str | None = None

    @property
    def target(self) -> TargetSpec:
        """What the manifest says of it."""
        return TargetSpec(self.platform, self.runtime, self.name, self.backend, self.min_os, self.compute_units)


RECIPES = (
    Recipe(
        name="xnnpack_fp32",
        platform="android",
        runtime="executorch",
        backend="xnnpack",
        precision="fp32",
        min_os="23",
        needs="org.pytorch:executorch-android",
        promise="every layer in XNNPACK's float32 kernels on the CPU",
        error=1e-4,
        golden_margin=1e-3,
    ),
    Recipe(
        name="coreml_fp16",
        platform="ios",
        runtime="coreml",
        backend="coreml",
        precision="fp16",
        min_os="16.0",
        needs="Core ML of iOS 16",
        promise="half the bytes of float32, and may run on the Neural Engine",
        error=1e-1,
        golden_margin=1e-1,
        compute_units="all",
    ),
    Recipe(
        name="coreml_fp32",
        platform="ios",
        runtime="coreml",
        backend="coreml",
        precision="fp32",
        min_os="16.0",
        needs="Core ML of iOS 16",
        promise="float32 throughout, on the CPU or the GPU, never on the Neural Engine",
        error=1e-4,
        golden_margin=1e-3,
        compute_units="cpuAndGPU",
    ),
)


def find_recipe(name: str | None, platform: str) -> Recipe:
    """Return the recipe of that name for that platform; without a name, the platform's first.

    Raises:
        ConfigError: the platform or the recipe is unknown, or the recipe is another platform's.
    """
    fitting = [recipe for recipe in RECIPES if recipe.platform == platform]
    allowed = ", ".join(recipe.name for recipe in fitting)
    if not fitting:
        platforms = sorted({recipe.platform for recipe in RECIPES})
        near = difflib.get_close_matches(platform, platforms, n=1, cutoff=0.3)
        raise ConfigError(
            "target is unknown",
            got=platform,
            allowed=", ".join(platforms),
            hint=f"Did you mean --target {near[0]}?" if near else None,
        )
    if name is None:
        return fitting[0]
    for recipe in RECIPES:
        if recipe.name != name:
            continue
        if recipe.platform != platform:
            raise ConfigError(
                f"recipe {name} is for {recipe.platform}, not for {platform}",
                allowed=allowed,
                hint=f"Use --target {recipe.platform}, or one of these",
            )
        return recipe
    near = difflib.get_close_matches(name, [recipe.name for recipe in fitting], n=1, cutoff=0.0)
    raise ConfigError("recipe is unknown", got=name, allowed=allowed, hint=f"Did you mean {near[0]}?" if near else None)
