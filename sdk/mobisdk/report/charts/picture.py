"""A chart as a file of its own: SVG or PNG in the light theme, or a page."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from mobisdk.errors import ConfigError
from mobisdk.report.charts.theme import CONFIG

FORMATS: Final = (".svg", ".png")
_STYLES: Final = Path(__file__).parents[1] / "page" / "report.css"
_WIDTH = 640
_SCALE = 2.0
"""Pixels of a PNG for each of the chart's: sharp on a dense screen."""


def draw_page(spec: Mapping[str, Any]) -> bytes:
    """Draw a chart that `compose` made as one HTML file, whose marks tell their figures; it needs no network."""
    import vl_convert

    return vl_convert.vegalite_to_html(_in_light(spec), bundle=True).encode()


def draw_picture(spec: Mapping[str, Any], file_format: str) -> bytes:
    """Draw a chart that `compose` made, on white, `_WIDTH` wide.

    Raises:
        ConfigError: the format is unknown.
    """
    if file_format not in FORMATS:
        raise ConfigError("a chart is drawn as another file", got=file_format, allowed=", ".join(FORMATS))
    import vl_convert

    text = _in_light(spec)
    if file_format == ".svg":
        return vl_convert.vegalite_to_svg(text).encode()
    return vl_convert.vegalite_to_png(text, scale=_SCALE)


def _in_light(spec: Mapping[str, Any]) -> str:
    whole = {**spec, "config": CONFIG | {"background": "white"}, "width": _WIDTH}
    colours = dict(re.findall(r"(--[\w-]+): light-dark\((#[0-9a-f]{6}),", _STYLES.read_text(encoding="utf-8")))
    return re.sub(r"var\((--[\w-]+)\)", lambda match: colours[match[1]], json.dumps(whole))
