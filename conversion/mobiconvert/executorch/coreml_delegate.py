"""Core ML inside a .pte: for apps that run everything through ExecuTorch, on an iPhone too."""

import contextlib
import hashlib
import json
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from torch.export import ExportedProgram

from mobiconvert.coreml.lowering import OPSETS, make_reproducible
from mobiconvert.executorch.backend import Backend, lower_to
from mobiconvert.executorch.delegate_files import unpack_files
from mobiconvert.quiet import quiet_imports
from mobiconvert.recipes import Recipe

with quiet_imports():
    import coremltools as ct
    from executorch.backends.apple.coreml import executorchcoreml
    from executorch.backends.apple.coreml.compiler import CoreMLBackend
    from executorch.backends.apple.coreml.partition import CoreMLPartitioner

_FOLDER = "lowered_module"
"""Its name is part of the bytes: what ExecuTorch's compiler calls it."""
_PACKAGE, _METADATA, _DEBUG_INFO = "model.mlpackage", "metadata.json", "debug_info.json"


def open_coreml_delegate(recipe: Recipe) -> Backend:
    """Float16, all compute units; Core ML places what is in the delegate."""
    specs = CoreMLBackend.generate_compile_specs(
        compute_unit=ct.ComputeUnit.ALL,
        minimum_deployment_target=OPSETS[recipe.min_os],
        compute_precision=ct.precision.FLOAT32 if recipe.precision == "fp32" else ct.precision.FLOAT16,
    )
    lower = lower_to(CoreMLPartitioner(compile_specs=specs))

    def lower_reproducibly(program: ExportedProgram) -> Any:
        with _reproducible_packages():
            return lower(program)

    return Backend(lower_reproducibly)


def unpack_delegate(blob: bytes, folder: Path) -> tuple[Path, str, str]:
    """Write the files of a delegate; return its package, and the names of its input and its output.

    Raises:
        ValueError: it is damaged, or not one package with one input and one output.
    """
    unpack_files(blob, folder)
    metadata = json.loads((folder / _METADATA).read_text(encoding="utf-8"))
    (image,), (logits,) = metadata["inputNames"], metadata["outputNames"]
    return folder / _PACKAGE, image, logits


@contextlib.contextmanager
def _reproducible_packages() -> Iterator[None]:
    """Replace the delegate's random identifiers, its date, and what it tells of this computer's folders."""
    original = CoreMLBackend.preprocess_model

    def preprocess_model(mlmodel: Any, model_type: Any) -> Any:
        result = original(mlmodel, model_type)
        with tempfile.TemporaryDirectory() as name:
            content = Path(name) / _FOLDER
            unpack_files(result.processed_bytes, content)
            (content / _DEBUG_INFO).unlink(missing_ok=True)
            make_reproducible(content / _PACKAGE)
            _name_after_content(content)
            result.processed_bytes = executorchcoreml.flatten_directory_contents(str(content))
        return result

    CoreMLBackend.preprocess_model = staticmethod(preprocess_model)
    try:
        yield
    finally:
        CoreMLBackend.preprocess_model = staticmethod(original)


def _name_after_content(content: Path) -> None:
    """The phone keeps compiled models by this name: other content needs another one."""
    digest = hashlib.sha256()
    for file in sorted((content / _PACKAGE).rglob("*")):
        if file.is_file():
            digest.update(file.relative_to(content).as_posix().encode() + file.read_bytes())
    metadata = json.loads((content / _METADATA).read_text(encoding="utf-8"))
    metadata["identifier"] = f"executorch_{uuid.uuid5(uuid.NAMESPACE_URL, digest.hexdigest())}"
    (content / _METADATA).write_text(json.dumps(metadata, sort_keys=True), encoding="utf-8")
