"""How small an image an architecture can take."""

from collections.abc import Mapping

from mobisdk.errors import ConfigError
from mobisdk.specs import ModelSpec


def check_resolution(spec: ModelSpec, smallest: Mapping[int, int]) -> None:
    """Refuse images that an architecture's strides leave nothing of; `smallest` is by the stem's stride.

    Raises:
        ConfigError: the resolution is below it.
    """
    least = smallest[spec.stem_stride]
    if spec.resolution < least:
        raise ConfigError(
            f"resolution is too small for the strides of {spec.arch}",
            got=spec.resolution,
            allowed=f"{least} or more with stem_stride {spec.stem_stride}",
        )
