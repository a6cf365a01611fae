"""The JSON file that says what a run, a sweep or a compression is. Importing this imports no torch."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from mobisdk.errors import ConfigError, DataError

Read = TypeVar("Read")


def format_document(document: Any) -> str:
    """As text for a person, whose last line ends.

    Raises:
        ConfigError: a number is NaN or infinite.
    """
    try:
        return json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    except ValueError as error:
        raise ConfigError(f"what a run was set to must be JSON ({error})") from error


def read_document(path: Path, schema: str, what: str, parse: Callable[[dict[str, Any]], Read]) -> Read:
    """Parse the document of `what`, such as a run.

    Raises:
        DataError: the file is of another schema, or damaged.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        if document["schema"] != schema:
            raise DataError(f"the {what} is of another schema", got=document["schema"], allowed=schema)
        return parse(document)
    except (ConfigError, KeyError, TypeError, ValueError) as error:
        raise DataError(f"the {what} is damaged ({error})", got=str(path)) from error


def tell_now() -> str:
    """RFC 3339 with milliseconds, UTC."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
