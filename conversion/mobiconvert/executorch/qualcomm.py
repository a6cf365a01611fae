"""Qualcomm's Hexagon NPU through QNN: needs Qualcomm's own SDK, whose licence lets nobody else hand it out."""

import importlib.util
import os
from pathlib import Path
from typing import Any

import torch
from torch.export import ExportedProgram

from mobiconvert.executorch.backend import Backend
from mobiconvert.quiet import quiet_imports
from mobiconvert.recipes import Recipe
from mobisdk.errors import UnsupportedError

_LIBRARY = Path("lib/x86_64-linux-clang/libQnnHtp.so")
_PACKAGES = {"cpuinfo": "py-cpuinfo", "requests": "requests"}


def open_qualcomm(recipe: Recipe) -> Backend:
    """Float16 by its own option, int8 with a scale for each output channel.

    The graph is composed on the phone: a bundle names no chip, and a context made for one may not load on another.

    Raises:
        UnsupportedError: the SDK, or a package that ExecuTorch's backend needs, is not here.
    """
    _check_sdk(recipe)
    uses_mkldnn = torch.backends.mkldnn.enabled
    with quiet_imports():
        from executorch.backends.qualcomm.quantizer.quantizer import QnnQuantizer, QuantDtype
        from executorch.backends.qualcomm.serialization.qc_schema import QcomChipset
        from executorch.backends.qualcomm.utils import utils

        torch.backends.mkldnn.enabled = uses_mkldnn  # the import switches it off for the whole process
        options = utils.generate_htp_compiler_spec(use_fp16=recipe.precision == "fp16")
        # Any chip that float16 runs on: with online_prepare it names the backend's features, not the phone.
        specs = utils.generate_qnn_executorch_compiler_spec(QcomChipset.SM8450, options, online_prepare=True)
        quantizer = QnnQuantizer(soc_model=QcomChipset.SM8450) if recipe.calibrates else None
    if quantizer is not None:
        quantizer.set_default_quant_config(QuantDtype.use_8a8w, is_conv_per_channel=True, is_linear_per_channel=True)

    def lower(program: ExportedProgram) -> Any:
        (image,) = program.graph_signature.user_inputs
        shape = next(node.meta["val"].shape for node in program.graph.nodes if node.name == image)
        module = program.module(check_guards=False)
        return utils.to_edge_transform_and_lower_to_qnn(module, (torch.zeros(shape),), specs)

    return Backend(lower, quantizer, runs_here=False)


def _check_sdk(recipe: Recipe) -> None:
    """Before ExecuTorch's backend is imported: it would download the SDK without a word."""
    root = os.environ.get("QNN_SDK_ROOT")
    if not root or not (Path(root) / _LIBRARY).is_file():
        raise UnsupportedError(
            f"{recipe.name} needs Qualcomm's AI Engine Direct SDK (QNN) for x86-64 Linux",
            got=f"QNN_SDK_ROOT={root}" if root else "no QNN_SDK_ROOT",
            allowed=f"a folder with {_LIBRARY}",
            hint="Download Qualcomm AI Runtime SDK from https://softwarecenter.qualcomm.com, unpack it, then "
            "export QNN_SDK_ROOT=FOLDER LD_LIBRARY_PATH=FOLDER/lib/x86_64-linux-clang",
        )
    missing = [package for module, package in _PACKAGES.items() if importlib.util.find_spec(module) is None]
    if missing:
        raise UnsupportedError(
            f"{recipe.name} needs packages that ExecuTorch's QNN backend imports",
            got=f"no {', no '.join(missing)}",
            hint=f"pip install {' '.join(missing)}",
        )
