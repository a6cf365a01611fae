"""Where a bundle is made before it appears."""

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from mobisdk.errors import BundleError
from mobisdk.files import PARTIAL_MARK

_REST_OF_BUNDLE_BYTES = 2_000_000
"""The golden photograph, labels, graph and manifest."""


@contextlib.contextmanager
def partial_folder(out_dir: Path, weights_bytes: int) -> Iterator[Path]:
    """Give a folder in `out_dir` that is gone afterwards, where there is room for what is written there.

    Raises:
        BundleError: the disk has no room, or `out_dir` cannot be written.
    """
    try:
        out_dir.mkdir(parents=True, exist_ok=True)
        # coremltools writes a package twice; a full disk makes its writer fail without saying why.
        needed, free = 2 * weights_bytes + _REST_OF_BUNDLE_BYTES, shutil.disk_usage(out_dir).free
        if free < needed:
            raise BundleError(
                f"the disk has no room for the bundle in {out_dir}: {needed / 1e6:.0f} MB are needed, "
                f"{free / 1e6:.1f} MB are free",
                hint="Free some, or choose another --output",
            )
        with tempfile.TemporaryDirectory(dir=out_dir, prefix=f"{PARTIAL_MARK}-") as name:
            yield Path(name)
    except OSError as exc:
        reason = exc.strerror or str(exc)[:300]
        raise BundleError(
            f"the bundle cannot be written: {reason}", got=str(out_dir), hint="Choose another --output"
        ) from exc
