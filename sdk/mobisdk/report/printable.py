"""Texts that phones and people wrote, made safe and short enough for a line of a terminal."""

import unicodedata

_LONGEST = 300


def printable(text: str) -> str:
    """Replace what would act on a terminal (control, direction and surrogate characters) by a mark, and cut."""
    safe = "".join("\ufffd" if unicodedata.category(character)[0] == "C" else character for character in text)
    return safe if len(safe) <= _LONGEST else f"{safe[:_LONGEST]}…"
