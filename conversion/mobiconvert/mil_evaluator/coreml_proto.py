"""Core ML's protobuf messages, without the rest of coremltools.

Importing coremltools takes about seven seconds and prints a page; its message classes take a tenth of one. They are
generated code with no other dependency than protobuf, so they are loaded from coremltools' folder under a name of our
own. Both ways yield the same classes, in either order: protobuf keeps one class a message type.
"""

import importlib
import importlib.util
import sys
from types import ModuleType

from mobisdk.errors import UnsupportedError

_ALIAS = "_mobiconvert_coreml_proto"


def import_messages(name: str) -> ModuleType:
    """One of coremltools' generated modules, such as `Model_pb2`.

    Raises:
        UnsupportedError: coremltools is not installed.
    """
    if _ALIAS not in sys.modules:
        _load_package()
    return importlib.import_module(f"{_ALIAS}.{name}")


def _load_package() -> None:
    found = importlib.util.find_spec("coremltools")
    if found is None or not found.submodule_search_locations:
        raise UnsupportedError("Core ML packages cannot be read without coremltools", hint="pip install coremltools")
    folder = f"{found.submodule_search_locations[0]}/proto"
    spec = importlib.util.spec_from_file_location(_ALIAS, f"{folder}/__init__.py", submodule_search_locations=[folder])
    if spec is None or spec.loader is None:
        raise UnsupportedError("coremltools has no message classes", got=folder, hint="pip install coremltools==9.0")
    package = importlib.util.module_from_spec(spec)
    sys.modules[_ALIAS] = package
    spec.loader.exec_module(package)
