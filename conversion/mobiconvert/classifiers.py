"""Opens an artefact with whatever runs it on this computer."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mobisdk.bundle import Bundle
from mobisdk.devices.classifier import Classifier
from mobisdk.errors import UnsupportedError

_HOST_BACKENDS = ("xnnpack", "portable")


def load_classifier(bundle: Bundle) -> Classifier:
    """Open a bundle: a .pte with ExecuTorch's runtime, an .mlpackage with the MIL evaluator. Not loaded yet.

    Raises:
        UnsupportedError: the bundle is for a runtime that this version does not know, or for a backend that no runtime
            of this computer has.
    """
    manifest, target = bundle.manifest, bundle.target
    if target.runtime == "executorch" and target.backend not in _HOST_BACKENDS:
        raise UnsupportedError(
            f"no runtime of this computer runs ExecuTorch programs for {target.backend}",
            got=bundle.name,
            allowed=", ".join(_HOST_BACKENDS),
            hint="The phone checks its golden sample before it measures",
        )
    return open_classifier(bundle.path, manifest["target"]["runtime"], manifest["input"], manifest["output"])


def open_classifier(folder: Path, runtime: str, takes: Mapping[str, Any], gives: Mapping[str, Any]) -> Classifier:
    """Open the artefact in `folder`; `takes` and `gives` are the manifest's `input` and `output`.

    Raises:
        UnsupportedError: the runtime is unknown.
    """
    if runtime == "executorch":
        from mobiconvert.executorch.runtime import ExecuTorchClassifier

        return ExecuTorchClassifier(folder / "model.pte")
    if runtime == "coreml":
        from mobiconvert.mil_evaluator import MilClassifier

        return MilClassifier(folder / "model.mlpackage", takes["name"], takes["kind"], gives["name"])
    raise UnsupportedError(
        "this version of mobisdk cannot run the bundle",
        got=runtime,
        allowed="executorch, coreml",
        hint="Update mobisdk",
    )
