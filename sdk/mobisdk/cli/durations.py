"""Times as a person types and reads them."""

import re

from mobisdk.errors import ConfigError


def parse_duration(text: str) -> float:
    """Seconds of `90s`, `20m` or `1.5h`.

    Raises:
        ConfigError: it is none.
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([smh])", text.strip())
    if match is None:
        raise ConfigError("the time cannot be read", got=text, allowed="a number with s, m or h, as in 20m")
    return float(match[1]) * {"s": 1, "m": 60, "h": 3600}[match[2]]


def format_duration(seconds: float) -> str:
    """`42 s`, `12 min` or `2.1 h`."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes / 60:.1f} h"
