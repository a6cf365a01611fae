"""The names of runs, which are folders'."""

import itertools
import re
from pathlib import Path

from mobisdk.errors import ConfigError


def check_name(runs: Path, name: str) -> None:
    """Refuse what cannot be a new folder in `runs`.

    Raises:
        ConfigError: the name is taken, or has characters that some file system does not take.
    """
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}", name):
        raise ConfigError("a run's name is a folder's", got=name, allowed="letters, digits, dot, dash, underscore")
    if (runs / name).exists():
        raise ConfigError(
            "there is a run of this name",
            got=name,
            hint=f"Go on with it with --resume {name}, or choose another --name",
        )


def free_name(runs: Path, kind: str, data: str) -> str:
    """`mobilenet_v1-a0.25-r32-digits`, or the same with `-2`, `-3`, … where there is one."""
    stem = f"{kind}-{re.sub(r'[^A-Za-z0-9_.]+', '-', Path(data).stem) or 'data'}"
    return first_free(runs, stem)


def first_free(runs: Path, stem: str) -> str:
    """`stem`, or the same with `-2`, `-3`, … where there is one in `runs`."""
    names = itertools.chain([stem], (f"{stem}-{number}" for number in itertools.count(2)))
    return next(name for name in names if not (runs / name).exists())
