"""How much the benchmark measures, and in which order."""

import dataclasses
import math
from collections.abc import Iterator, Sequence
from typing import Literal, TypeVar

from mobisdk.errors import ConfigError

LARGEST_SAMPLES = 300_000
"""More do not fit into a line of the log."""
LONGEST_SECONDS = 3600

Item = TypeVar("Item")


@dataclasses.dataclass(frozen=True)
class BenchConfig:
    """Every bundle is started cold `cold_starts` times, then measured in `runs` rounds of one run each.

    Raises:
        ConfigError: a value is outside what is allowed.
    """

    threads: int
    mode: Literal["burst", "sustained"] = "burst"
    runs: int = 10
    samples: int = 50
    """Of a run in burst mode."""
    seconds: float = 60.0
    """Of a run in sustained mode."""
    cold_starts: int = 3

    def __post_init__(self) -> None:
        """Check every field."""
        if self.mode not in ("burst", "sustained"):
            raise ConfigError("mode is unknown", got=self.mode, allowed="burst, sustained")
        for name, least, most in (
            ("threads", 1, 1024),
            ("runs", 1, 10_000),
            ("samples", 1, LARGEST_SAMPLES),
            ("cold_starts", 0, 1000),
        ):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
                raise ConfigError(f"{name} must be a whole number", got=value, allowed=f"{least} to {most}")
        if not math.isfinite(self.seconds) or not 0 < self.seconds <= LONGEST_SECONDS:
            raise ConfigError(
                "seconds must be a number", got=self.seconds, allowed=f"0 < seconds ≤ {LONGEST_SECONDS}", hint="Try 60"
            )


def interleave(items: Sequence[Item], rounds: int) -> Iterator[Item]:
    """Give every item once a round, each round beginning with the next one: heat and drift are shared fairly."""
    for start in range(rounds):
        for place in range(len(items)):
            yield items[(start + place) % len(items)]
