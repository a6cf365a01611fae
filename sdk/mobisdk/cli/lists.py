"""Options that take several values between commas: each value is a line of a grid."""

from typing import TypeVar

from mobisdk.errors import ConfigError

Value = TypeVar("Value", int, float, str)


def split_list(name: str, text: str | None, kind: type[Value]) -> list[Value]:
    """Read a comma list; nothing given is an empty list.

    Raises:
        ConfigError: an item is not of that kind, or is empty.
    """
    values = []
    for item in text.split(",") if text is not None else []:
        try:
            values.append(kind(item.strip()))
        except ValueError as exc:
            raise ConfigError(
                f"{name} must be a number or a comma list of numbers",
                got=item,
                hint=f"Try --{name} 128" if kind is int else f"Try --{name} 0.25,0.5",
            ) from exc
    return values
