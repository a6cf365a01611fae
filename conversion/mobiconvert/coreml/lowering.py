"""Lowers a network to an .mlpackage for Core ML, the same bytes every time."""

import importlib.metadata
import json
import uuid
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from mobiconvert.coreml.compression import compress_weights
from mobiconvert.coreml.requantization import drop_rounding_after_reshape
from mobiconvert.lowered import Delegation, Lowered
from mobiconvert.mil_evaluator import describe_package
from mobiconvert.quiet import quiet_imports
from mobiconvert.recipes import Recipe
from mobisdk.compression.stored_codes import StoredCodes

with quiet_imports():
    import coremltools as ct
    from coremltools.proto import Model_pb2

PACKAGE_NAME = "model.mlpackage"
INPUT_NAME = "image"
OUTPUT_NAME = "logits"
OPSETS = {"16.0": ct.target.iOS16, "17.0": ct.target.iOS17, "18.0": ct.target.iOS18}
_DEBUG_FILE = "executorch_debug_handle_mapping.json"
"""coremltools leaves this beside the package's own files; Core ML does not know it."""
_CHANGES_DAILY = "com.github.apple.coremltools.conversion_date"


def lower(
    program: torch.export.ExportedProgram,
    recipe: Recipe,
    macs: int,
    folder: Path,
    calibration: NDArray[np.uint8],
    codes: Mapping[str, StoredCodes],
) -> Lowered:
    """Write `folder`/model.mlpackage: an RGB image input, one float32 output of logits.

    All of it is Core ML's to place, so all `macs` count as delegated. `calibration` is (N,H,W,3) uint8 images of the
    network's own size, which a recipe that calibrates measures its ranges on; `codes` are what its layers have
    already.
    """
    image = program.graph_signature.user_inputs[0]
    shapes = {node.name: list(node.meta["val"].shape) for node in program.graph.nodes if "val" in node.meta}
    requirements: dict[str, Any] = {}
    lowered = program
    if recipe.calibrates:
        # Imported here: the other recipes need none of ExecuTorch, which takes seconds.
        from mobiconvert.executorch.coreml_quantizer import coreml_quantizer
        from mobiconvert.quantization import describe_rounding, quantize

        lowered = drop_rounding_after_reshape(quantize(program, coreml_quantizer(), calibration))
        requirements["weights"] = describe_rounding(lowered)
    with quiet_imports():
        model = ct.convert(
            lowered.run_decompositions({}),
            inputs=[
                ct.ImageType(name=INPUT_NAME, shape=shapes[str(image)], scale=1 / 255, color_layout=ct.colorlayout.RGB)
            ],
            outputs=[ct.TensorType(name=OUTPUT_NAME, dtype=np.float32)],
            compute_precision=ct.precision.FLOAT32 if recipe.precision == "fp32" else ct.precision.FLOAT16,
            minimum_deployment_target=OPSETS[recipe.min_os],
            skip_model_load=True,
        )
        if recipe.weights is not None:
            model, requirements["weights"] = compress_weights(model, recipe.weights, codes)
        model.save(str(folder / PACKAGE_NAME))
        specification = model.get_spec()
    operators = _count_operators(specification)
    requirements["specification_version"] = specification.specificationVersion
    make_reproducible(folder / PACKAGE_NAME)
    leaving = describe_package(folder / PACKAGE_NAME).leaves_neural_engine
    return Lowered(
        delegation=Delegation(sum(operators.values()), sum(operators.values()), macs, (), leaving),
        input={
            "name": INPUT_NAME,
            "kind": "image",
            "shape": shapes[str(image)],
            "dtype": "uint8",
            "color": "RGB",
        },
        output={
            "name": OUTPUT_NAME,
            "shape": shapes[str(program.graph_signature.user_outputs[0])],
            "dtype": "float32",
            "activation": "logits",
        },
        tool_versions={"executorch": None, "coremltools": importlib.metadata.version("coremltools")},
        requirements=requirements,
    )


def _count_operators(spec: Any) -> Counter[str]:
    """Operations that do work at run time: constants do none."""
    return Counter(
        operation.type
        for function in spec.mlProgram.functions.values()
        for block in function.block_specializations.values()
        for operation in block.operations
        if operation.type != "const" and not operation.type.startswith("constexpr_")
    )


def make_reproducible(package: Path) -> None:
    """Replace what differs between two saves of one model: the date, the order of maps, and random identifiers."""
    (package / _DEBUG_FILE).unlink(missing_ok=True)
    manifest_path = package / "Manifest.json"
    manifest = json.loads(manifest_path.read_text(encoding="utf-8"))
    entries, root = manifest["itemInfoEntries"], manifest["rootModelIdentifier"]
    renamed = {old: str(uuid.uuid5(uuid.NAMESPACE_URL, entry["path"])).upper() for old, entry in entries.items()}
    manifest["itemInfoEntries"] = {renamed[old]: entry for old, entry in entries.items()}
    manifest["rootModelIdentifier"] = renamed[root]
    manifest_path.write_text(json.dumps(manifest, sort_keys=True, indent=2) + "\n", encoding="utf-8")

    model_path = package / "Data" / entries[root]["path"]
    model = Model_pb2.Model.FromString(model_path.read_bytes())
    model.description.metadata.userDefined.pop(_CHANGES_DAILY, None)
    model_path.write_bytes(model.SerializeToString(deterministic=True))
