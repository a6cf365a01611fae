"""What is known to leave the Neural Engine, rule by rule, on both sides of each bound."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mobiconvert.mil_evaluator import describe_package
from mobiconvert.quiet import quiet_imports

with quiet_imports():
    import coremltools as ct
    from coremltools.converters.mil import Builder as mb  # noqa: N813  (its own documents' name)
    from coremltools.converters.mil.mil import types

WEIGHT = np.ones((4, 3, 3, 3), np.float16)

CASES = {
    "plain convolution": (lambda x: mb.conv(x=x, weight=WEIGHT, strides=[2, 2]), None),
    "dilated convolution": (lambda x: mb.conv(x=x, weight=WEIGHT, dilations=[1, 2]), "conv: dilated"),
    "float32 convolution": (
        lambda x: mb.conv(x=mb.cast(x=x, dtype="fp32"), weight=WEIGHT.astype(np.float32)),
        "conv: float32",
    ),
    "gather": (lambda x: mb.gather(x=x, indices=[0, 2], axis=1), "gather: gather"),
    "pool of 13": (lambda x: mb.avg_pool(x=x, kernel_sizes=[13, 13], pad_type="valid", strides=[2, 2]), None),
    "pool of 14": (lambda x: mb.avg_pool(x=x, kernel_sizes=[1, 14], pad_type="valid"), "avg_pool: pools"),
    "pool by 3": (lambda x: mb.max_pool(x=x, kernel_sizes=[3, 3], pad_type="valid", strides=[3, 1]), "max_pool: pools"),
    "upsampling by 2": (
        lambda x: mb.upsample_nearest_neighbor(x=x, scale_factor_height=2.0, scale_factor_width=2.0),
        None,
    ),
    "upsampling by 3": (
        lambda x: mb.upsample_nearest_neighbor(x=x, scale_factor_height=1.0, scale_factor_width=3.0),
        "upsample_nearest_neighbor: upsampling",
    ),
    "resizing to twice": (lambda x: mb.resize_bilinear(x=x, target_size_height=32, target_size_width=32), None),
    "resizing to more": (
        lambda x: mb.resize_bilinear(x=x, target_size_height=33, target_size_width=16),
        "resize_bilinear: upsampling",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_operations_that_leave_the_neural_engine_are_named_with_a_source(name: str, tmp_path: Path) -> None:
    build, expected = CASES[name]

    @mb.program(input_specs=[mb.TensorSpec(shape=(1, 3, 16, 16), dtype=types.fp16)], opset_version=ct.target.iOS16)
    def program(x: Any) -> Any:
        return build(x)

    with quiet_imports():
        ct.convert(
            program,
            convert_to="mlprogram",
            pass_pipeline=ct.PassPipeline.EMPTY,
            minimum_deployment_target=ct.target.iOS16,
            skip_model_load=True,
        ).save(str(tmp_path / "m.mlpackage"))
    leaving = describe_package(tmp_path / "m.mlpackage").leaves_neural_engine
    assert len(leaving) == (expected is not None)
    for each in leaving:
        assert f"{each.op}: {each.reason}".startswith(expected)
        assert each.count == 1
        assert each.source.startswith("https://")
