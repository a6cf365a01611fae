"""A curve for the terminal: blocks in eighths of a line, from the least to the most."""

from collections.abc import Sequence

_EIGHTHS = " ▁▂▃▄▅▆▇█"
_ROWS = 5
_COLUMNS = 60
"""At most; few values are drawn as broad as fits in half of them."""


def draw_curve(values: Sequence[float], low: str, high: str) -> list[str]:
    """Lines of text, `high` before the first and `low` before the last; nothing for fewer than two values.

    More values than fit are thinned out evenly; the last one always stands.
    """
    if len(values) < 2:
        return []
    step = -(-len(values) // _COLUMNS)
    breadth = max(1, _COLUMNS // 2 // len(values))
    kept = list(values[::-1][::step][::-1])
    least, most = min(values), max(values)
    span = most - least or 1.0
    levels = [1 + round((value - least) / span * (8 * _ROWS - 1)) for value in kept]
    margin = max(len(low), len(high))
    lines = []
    for row in reversed(range(_ROWS)):
        label = high if row == _ROWS - 1 else low if row == 0 else ""
        blocks = "".join(_EIGHTHS[min(max(level - 8 * row, 0), 8)] * breadth for level in levels)
        lines.append(f"{label:>{margin}} {blocks}".rstrip())
    return lines
