"""That no operation of the evaluator goes unchecked, in any opset."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from tests.conversion.mil_operators.cases import OPSETS, run_program

from mobiconvert.mil_evaluator.operators import OPERATORS
from mobiconvert.quiet import quiet_imports

with quiet_imports():
    from coremltools.converters.mil import Builder as mb  # noqa: N813  (its own documents' name)


def test_every_operation_of_the_evaluator_has_a_case() -> None:
    source = "".join(path.read_text(encoding="utf-8") for path in Path(__file__).parent.glob("test_*.py"))
    untested = [name for name in OPERATORS if not re.search(rf'mb\.{name}\(|\(\s*"{name}"', source)]
    assert untested == []


@pytest.mark.parametrize("opset", OPSETS)
def test_every_opset_is_read(opset: str, tmp_path: Path) -> None:
    x = np.random.default_rng(0).normal(size=(1, 3, 5, 5)).astype(np.float32)
    weight = np.random.default_rng(1).normal(size=(4, 3, 3, 3)).astype(np.float32)
    (y,) = run_program(lambda a: mb.relu(x=mb.conv(x=a, weight=weight, pad_type="same")), [x], tmp_path, opset)
    expected = F.relu(F.conv2d(torch.from_numpy(x).double(), torch.from_numpy(weight).double(), padding=1))
    np.testing.assert_allclose(y, expected, rtol=1e-5, atol=1e-5)
