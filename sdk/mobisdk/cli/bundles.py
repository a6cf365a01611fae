"""Opens the bundle that a person names: a folder, or the same folder zipped."""

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from mobisdk.bundle import Bundle

BundlePath = Annotated[Path, typer.Argument(help="A bundle's folder, or the same zipped.", show_default=False)]


@contextlib.contextmanager
def open_bundle(path: Path) -> Iterator["Bundle"]:
    """Give the bundle with every hash checked; a zipped one is unpacked for as long as it is used.

    Raises:
        BundleError: it is no bundle, or differs from its manifest.
    """
    from mobisdk.bundle import read_bundle, unpack_bundle, verify_files

    with contextlib.ExitStack() as stack:
        if path.is_file():
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="mobisdk-"))
            bundle = unpack_bundle(path, Path(folder))
        else:
            bundle = read_bundle(path)
        verify_files(bundle)
        yield bundle
