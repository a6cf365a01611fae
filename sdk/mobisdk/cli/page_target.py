"""Where a page may be written."""

from pathlib import Path

from mobisdk.errors import ConfigError


def check_page_target(html: Path) -> None:
    """Refuse what is no place for a page, before a minute is spent on it; only a page is written over.

    Raises:
        ConfigError: it is a folder, in no folder, or another file.
    """
    from mobisdk.report.frame import is_page

    if html.is_dir():
        raise ConfigError("--html names a folder", got=str(html), allowed="a file", hint=f"Try {html / 'report.html'}")
    if not html.parent.is_dir():
        raise ConfigError("--html names a file in a folder that is not there", got=str(html))
    if html.exists() and not is_page(html):
        raise ConfigError("--html would write over a file that is no report of mobisdk's", got=str(html))
