"""What a user chooses about learning from a teacher."""

import dataclasses
import math

from mobisdk.errors import ConfigError

_LEAST_TEMPERATURE, _MOST_TEMPERATURE = 0.1, 100.0


@dataclasses.dataclass(frozen=True)
class DistillationSpec:
    """Learn from another network's answers.

    Raises:
        ConfigError: a value is outside what is allowed.

    Source: Hinton et al. 2015 (arXiv:1503.02531), section 2.
    """

    teacher: str
    """A checkpoint, published weights in a file, or `hf://owner/name[/file]`."""
    temperature: float = 4.0
    """Divides the logits of both: the higher, the more the teacher's doubts count."""
    mix: float = 0.9
    """The teacher's share of the loss; the labels have the rest."""
    unlabelled: str | None = None
    """A folder of images that only the teacher says something of."""

    def __post_init__(self) -> None:
        """Check every field."""
        if not isinstance(self.teacher, str) or not self.teacher:
            raise ConfigError(
                "teacher must be named", got=self.teacher, allowed="a checkpoint, FILE.safetensors, hf://…"
            )
        for name, value, least, most in (
            ("temperature", self.temperature, _LEAST_TEMPERATURE, _MOST_TEMPERATURE),
            ("mix", self.mix, 0.0, 1.0),
        ):
            is_number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
            if not is_number or not least <= value <= most:
                raise ConfigError(f"{name} must be a number", got=value, allowed=f"{least:g} to {most:g}")
