"""pyarrow without pandas, in a program that needs none."""

import sys
from importlib.abc import MetaPathFinder
from typing import Any


class _NoPandas(MetaPathFinder):
    def find_spec(self, fullname: str, *_: Any) -> None:
        if fullname == "pandas":
            raise ModuleNotFoundError(fullname)


def keep_pandas_out() -> None:
    """Let pyarrow find no pandas: its first conversion looks for it, once, and the import takes half a second.

    For the command line alone: in a process of others, pyarrow would take their pandas' missing values for objects.
    """
    if "pandas" in sys.modules:
        return
    nothing = _NoPandas()
    sys.meta_path.insert(0, nothing)
    try:
        import pyarrow as pa

        pa.array([True]).to_numpy(zero_copy_only=False)
    finally:
        sys.meta_path.remove(nothing)
