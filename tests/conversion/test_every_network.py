"""One sweep over every architecture: built, counted, trained for two steps, exported, verified and benched.

Each is lowered for XNNPACK in float32, at the smallest image that it takes; `make bench-sweep` makes the product of
architectures, all recipes and two values of α.
"""

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mobiconvert import find_recipe, load_classifier
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
RATE = 1e-3


@pytest.mark.parametrize("arch", list_models())
def test_every_network_goes_all_the_way(arch: str, tmp_path: Path) -> None:
    spec = ModelSpec(arch, alpha=0.25, resolution=SMALLEST.get(arch, 32), num_classes=CLASSES)
    network = create_untrained_network(spec)
    assert count_spec_cost(spec).params == sum(parameter.numel() for parameter in network.module.parameters())
    train_two_steps(network.module, spec.resolution)

    bundle = convert_network(network, find_recipe("xnnpack_fp32", "android"), tmp_path)

    assert not [check for check in verify_bundle(bundle.path) if check.ok is False]
    assert bundle.delegated_share > 0.95
    [run] = BenchmarkRunner(load_classifier, BenchConfig(1, runs=1, samples=3, cold_starts=0)).run([bundle])
    assert run.golden.passed
    assert len(run.inference_ns) == 3


def train_two_steps(network: nn.Module, resolution: int) -> None:
    """Each step is finite and reaches every parameter, and together they move the weights."""
    generator = torch.Generator().manual_seed(0)
    images = torch.rand(16, 3, resolution, resolution, generator=generator) * 2 - 1
    labels = torch.randint(CLASSES, (16,), generator=generator)
    named = dict(network.named_parameters())
    before = {name: parameter.clone() for name, parameter in named.items()}
    optimizer = torch.optim.SGD(named.values(), RATE)
    network.train()
    for _ in range(2):
        optimizer.zero_grad()
        loss = find_loss(network, images, labels)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        assert loss.isfinite()
    network.eval()
    gradients = {name: parameter.grad for name, parameter in named.items()}
    assert all(gradient is not None and gradient.isfinite().all() for gradient in gradients.values())
    silent = [name for name, gradient in gradients.items() if gradient is not None and not gradient.any()]
    assert len(silent) < 0.05 * len(named), silent
    still = [name for name, parameter in named.items() if torch.equal(parameter, before[name])]
    assert len(still) < 0.2 * len(named), still  # a rate that harms nothing moves few of the largest weights


def find_loss(network: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy, of the auxiliary head too where there is one."""
    if not isinstance(network, HasAuxiliaryHead):
        return F.cross_entropy(network(images), labels)
    logits, auxiliary = network.forward_with_auxiliary(images)
    return F.cross_entropy(logits, labels) + AUXILIARY_WEIGHT * F.cross_entropy(auxiliary, labels)
