"""Every recipe on small networks of other kinds than MobileNet: exported, and verified as `mobisdk verify` does.

MobileNetV1 meets every recipe in the tests that open the artefacts; the full product is `make bench-sweep`.
"""

from pathlib import Path

import numpy as np
import pytest

from mobiconvert import RECIPES, Calibration, Recipe
from mobisdk.cli.networks import Network, convert_network, create_untrained_network
from mobisdk.cli.verify import verify_bundle
from mobisdk.errors import ConversionError, UnsupportedError
from mobisdk.specs import ModelSpec

NETWORKS = {"lenet_5": 1.0, "squeezenet_1_1": 0.25}
"""With the α at which each has weights large enough to be stored in fewer bits."""


@pytest.fixture(scope="module", params=NETWORKS)
def network(request: pytest.FixtureRequest) -> Network:
    return create_untrained_network(
        ModelSpec(arch=request.param, alpha=NETWORKS[request.param], resolution=32, num_classes=4)
    )


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.name)
def test_every_recipe_when_exported_then_verifies(
    network: Network, recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    random = np.random.default_rng(0)
    images, labels = random.integers(0, 256, (16, 32, 32, 3), dtype=np.uint8), random.integers(0, 4, 16)
    calibration = Calibration("noise", images, labels, images, labels)
    monkeypatch.delenv("QNN_SDK_ROOT", raising=False)
    if recipe.backend == "qnn":
        with pytest.raises(UnsupportedError, match="QNN_SDK_ROOT"):
            convert_network(network, recipe, tmp_path, calibration=calibration)
        return
    if recipe.name == "coreml_own_codes":
        with pytest.raises(ConversionError, match="mobisdk compress"):  # test_own_codes.py has networks with codes
            convert_network(network, recipe, tmp_path, calibration=calibration)
        return
    bundle = convert_network(network, recipe, tmp_path, calibration=calibration, max_drop=100.0)
    checks = {check.name: check for check in verify_bundle(bundle.path)}
    assert all(check.ok is not False for check in checks.values()), checks
    assert checks["golden"].ok is (None if recipe.backend == "vulkan" else True)
    assert bundle.delegated_share == (0.0 if recipe.backend == "portable" else 1.0)
