"""Opens an artefact with whatever runs it on this computer."""

import importlib.metadata
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mobisdk.bundle import Bundle
from mobisdk.devices.classifier import Classifier
from mobisdk.errors import UnsupportedError
from mobisdk.specs import TargetSpec

_HOST_BACKENDS = ("xnnpack", "portable", "coreml")


def load_classifier(bundle: Bundle) -> Classifier:
    """Open a bundle: a .pte with ExecuTorch's runtime, an .mlpackage with the MIL evaluator. Not loaded yet.

    Raises:
        UnsupportedError: the bundle is for a runtime that this version does not know, for a newer one than is
            installed, or for a backend that no runtime of this computer has.
    """
    manifest, target = bundle.manifest, bundle.target
    if target.runtime == "executorch" and target.backend not in _HOST_BACKENDS:
        raise UnsupportedError(
            f"no runtime of this computer runs ExecuTorch programs for {target.backend}",
            got=bundle.name,
            allowed=", ".join(_HOST_BACKENDS),
            hint="The phone checks its golden sample before it measures",
        )
    needed = manifest["target"].get("min_runtime")
    if target.runtime == "executorch" and needed is not None:
        _check_runtime(needed)
    return open_classifier(bundle.path, target, manifest["input"], manifest["output"])


def load_coreml_classifier(bundle: Bundle) -> Classifier:
    """Open an .mlpackage with Core ML itself; only a Mac has it. Not loaded yet."""
    from mobiconvert.coreml.prediction import CoreMLClassifier

    takes, gives = bundle.manifest["input"], bundle.manifest["output"]
    return CoreMLClassifier(bundle.model_path, takes["name"], takes["kind"], gives["name"])


def open_classifier(folder: Path, target: TargetSpec, takes: Mapping[str, Any], gives: Mapping[str, Any]) -> Classifier:
    """Open the artefact in `folder`; `takes` and `gives` are the manifest's `input` and `output`.

    Raises:
        UnsupportedError: the runtime is unknown.
    """
    if target.runtime == "executorch" and target.backend == "coreml":
        from mobiconvert.executorch.delegate_classifier import CoreMLDelegateClassifier

        return CoreMLDelegateClassifier(folder / "model.pte")
    if target.runtime == "executorch":
        from mobiconvert.executorch.runtime import ExecuTorchClassifier

        return ExecuTorchClassifier(folder / "model.pte")
    if target.runtime == "coreml":
        from mobiconvert.mil_evaluator import MilClassifier

        return MilClassifier(folder / "model.mlpackage", takes["name"], takes["kind"], gives["name"])
    raise UnsupportedError(
        "this version of mobisdk cannot run the bundle",
        got=target.runtime,
        allowed="executorch, coreml",
        hint="Update mobisdk",
    )


def _check_runtime(needed: str) -> None:
    """Refuse a program of a newer ExecuTorch: an older runtime may read it wrong instead of not at all."""
    installed = importlib.metadata.version("executorch")
    if _version_numbers(installed) < _version_numbers(needed):
        raise UnsupportedError(
            "the bundle needs a newer ExecuTorch than is installed",
            got=installed,
            allowed=f"{needed} or newer",
            hint=f"pip install 'executorch>={needed}', or export the bundle again with this version",
        )


def _version_numbers(version: str) -> tuple[int, ...]:
    """`1.4.1+cpu` is (1, 4, 1)."""
    match = re.match(r"\d+(\.\d+)*", version)
    return tuple(map(int, match[0].split("."))) if match else ()
