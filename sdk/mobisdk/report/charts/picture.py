"""A chart as a file of its own: SVG or PNG in the light theme, or a page."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from mobisdk.errors import ConfigError
from mobisdk.report.charts.theme import CONFIG

FORMATS: Final = (".svg", ".png")
_PAGE: Final = ".html"
CHART_FORMATS: Final = (*FORMATS, _PAGE)
"""Of a chart by itself: pictures, and a page whose marks tell their figures."""
_STYLES: Final = Path(__file__).parents[1] / "page" / "report.css"
_WIDTH = 640
_SCALE = 2.0
"""Pixels of a PNG for each of the chart's: sharp on a dense screen."""


def draw_chart(spec: Mapping[str, Any], file_format: str) -> bytes:
    """Draw a chart that `compose` made as a file of one of `CHART_FORMATS`."""
    return _draw_page(spec) if file_format == _PAGE else draw_picture(spec, file_format)


def _draw_page(spec: Mapping[str, Any]) -> bytes:
    """One HTML file that needs no network."""
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
