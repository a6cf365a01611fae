"""One sweep over every architecture: built, counted, trained for two steps, exported, verified and benched.

Each meets three recipes and two values of α, at the smallest image that it takes; `make bench-sweep` is the product.
"""

from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mobiconvert import Calibration, find_recipe, load_classifier
from mobisdk.cli.networks import convert_network, create_untrained_network
from mobisdk.cli.verify import verify_bundle
from mobisdk.cost import count_spec_cost
from mobisdk.devices.bench_config import BenchConfig
from mobisdk.devices.runner import BenchmarkRunner
from mobisdk.models import list_models
from mobisdk.models.auxiliary import AUXILIARY_WEIGHT, HasAuxiliaryHead
from mobisdk.specs import ModelSpec

CLASSES = 4
SMALLEST = {"inception_v3": 75}
"""Of those that take no 32×32."""
RECIPES = {"xnnpack_fp32": ("android", 0.25), "xnnpack_int8": ("android", 0.5), "coreml_fp16": ("ios", 0.25)}
"""With platform and α: lowering takes as long at any width, so that no pair is lowered twice."""


@pytest.mark.parametrize("recipe", RECIPES)
@pytest.mark.parametrize("arch", list_models())
def test_every_network_goes_all_the_way(arch: str, recipe: str, tmp_path: Path) -> None:
    platform, alpha = RECIPES[recipe]
    spec = ModelSpec(arch, alpha=alpha, resolution=SMALLEST.get(arch, 32), num_classes=CLASSES)
    network = create_untrained_network(spec)
    assert count_spec_cost(spec).params == sum(parameter.numel() for parameter in network.module.parameters())
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (16, spec.resolution, spec.resolution, 3), dtype=np.uint8)
    labels = random.integers(0, CLASSES, len(images))
    train_two_steps(network.module, torch.from_numpy(images).permute(0, 3, 1, 2) / 127.5 - 1, torch.from_numpy(labels))

    calibration = Calibration("noise", images, labels, images, labels)
    bundle = convert_network(network, find_recipe(recipe, platform), tmp_path, calibration=calibration, max_drop=100.0)

    failed = [check for check in verify_bundle(bundle.path) if check.ok is False]
    assert not failed
    assert bundle.delegated_share > 0.95
    if bundle.target.runtime == "executorch":  # Core ML programs are timed by the iPhone's app alone
        [run] = BenchmarkRunner(load_classifier, BenchConfig(1, runs=1, samples=3, cold_starts=0)).run([bundle])
        assert run.golden.passed
        assert len(run.inference_ns) == 3


def train_two_steps(network: nn.Module, images: Tensor, labels: Tensor) -> None:
    """Each finite, and each of some effect on every parameter that any image reaches."""
    before = {name: parameter.clone() for name, parameter in network.named_parameters()}
    optimizer = torch.optim.SGD(network.parameters(), 1e-3, 0.9)
    network.train()
    for _ in range(2):
        optimizer.zero_grad()
        if isinstance(network, HasAuxiliaryHead):
            logits, auxiliary = network.forward_with_auxiliary(images)
            loss = F.cross_entropy(logits, labels) + AUXILIARY_WEIGHT * F.cross_entropy(auxiliary, labels)
        else:
            loss = F.cross_entropy(network(images), labels)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        assert loss.isfinite()
    network.eval()
    changed = [not torch.equal(parameter, before[name]) for name, parameter in network.named_parameters()]
    assert sum(changed) > 0.9 * len(changed)
