"""What every page has: one file that needs no network, and in which no text that came from elsewhere can act."""

import base64
import dataclasses
import hashlib
import json
from collections.abc import Sequence
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any, Final

import jinja2
from markupsafe import Markup

import mobisdk
from mobisdk.report.charts.theme import CONFIG
from mobisdk.report.printable import printable

_PAGE: Final = Path(__file__).with_name("page")
_MARK: Final = b'<meta name="generator" content="mobisdk '
_MARK_WITHIN_BYTES: Final = 2048


@dataclasses.dataclass(frozen=True)
class KeyFigure:
    """A number to be read from afar, and what it is of."""

    name: str
    value: str
    detail: str


def render_page(
    environment: jinja2.Environment, template: str, made_at: datetime, *, has_pictures: bool = False, **values: Any
) -> str:
    """Render a page of `template` with the styles and scripts that all pages share."""
    style, script = ((_PAGE / name).read_text(encoding="utf-8") for name in ("report.css", "report.js"))
    charts = _bundle_charts_script()
    return environment.get_template(template).render(
        policy=_policy([style], [script, charts], has_pictures),
        style=Markup(style),  # noqa: S704
        script=Markup(script),  # noqa: S704
        charts=Markup(charts),  # noqa: S704
        config=CONFIG,
        made_at=f"{made_at.day} {made_at:%B %Y, %H:%M %Z}",
        version=mobisdk.__version__,
        **values,
    )


def is_page(path: Path) -> bool:
    """Tell whether the file at `path` is a page that `render_page` made."""
    with path.open("rb") as file:
        return _MARK in file.read(_MARK_WITHIN_BYTES)


@cache
def _bundle_charts_script() -> str:
    """Vega, Vega-Lite and Vega-Embed in one script; it takes two seconds, and is the same every time."""
    from vl_convert import javascript_bundle

    return javascript_bundle("window.vegaEmbed = vegaEmbed;").replace("</script", "<\\/script")


def create_environment() -> jinja2.Environment:
    """Create the templates' environment: every text is made printable and escaped, wherever it stands."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_PAGE),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=lambda value: printable(value) if type(value) is str else value,
    )
    environment.filters["as_json"] = _as_json
    return environment


def _as_json(value: Any) -> Markup:
    """Write `value` so that no text in it can end the script element that it stands in."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return Markup(text.replace("<", "\\u003c"))  # noqa: S704


def _policy(styles: Sequence[str], scripts: Sequence[str], has_pictures: bool) -> str:
    """Name what may run, by its hash; all else, and every request, is refused. Pictures are in the page itself."""

    def hashes(texts: Sequence[str]) -> str:
        digests = (hashlib.sha256(text.encode()).digest() for text in texts)
        return " ".join(f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests)

    return (
        f"default-src 'none'; script-src {hashes(scripts)}; style-src {hashes(styles)}; "
        f"{'img-src data:; ' if has_pictures else ''}base-uri 'none'; form-action 'none'"
    )
