"""Checking a package off a Mac is quick: MobileNetV1 0.5 at 128, 20 images a second or more, in less than 2 GiB."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from mobiconvert import find_recipe
from mobiconvert.coreml.lowering import lower
from mobiconvert.deployment import DeployedNetwork
from mobisdk.cli.networks import create_untrained_network
from mobisdk.specs import ModelSpec

IMAGES = 20
# A process of its own: this one has imported coremltools, and its peak would be that of the lowering.
SCRIPT = """
import re, resource, sys, time
from pathlib import Path
import numpy as np
from mobiconvert.mil_evaluator import MilClassifier

classifier = MilClassifier(Path(sys.argv[1]), "image", "image", "logits")
classifier.load()
images = np.random.default_rng(0).integers(0, 256, (int(sys.argv[2]), 128, 128, 3), dtype=np.uint8)
began = time.process_time()
for image in images:
    classifier.forward(classifier.prepare(image))
seconds = time.process_time() - began
status = Path("/proc/self/status")  # Linux counts a parent's memory in ru_maxrss of a new process, not here
peak = int(re.search(r"VmHWM:\\s+(\\d+)", status.read_text())[1]) * 1024 if status.exists() else (
    resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
)
print(seconds, peak)
"""


@pytest.mark.parametrize("recipe", ["coreml_fp16", "coreml_palette_4bit"])
def test_mobilenet_when_evaluated_then_twenty_images_a_second_in_two_gigabytes(recipe: str, tmp_path: Path) -> None:
    network = create_untrained_network(ModelSpec(alpha=0.5, resolution=128))
    program = torch.export.export(DeployedNetwork(network.module, network.input).eval(), (torch.rand(1, 3, 128, 128),))
    lower(program, find_recipe(recipe, "ios"), 0, tmp_path, np.zeros((0, 128, 128, 3), np.uint8), {})
    command = [sys.executable, "-c", SCRIPT, str(tmp_path / "model.mlpackage"), str(IMAGES)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    processor_seconds, peak_bytes = map(float, done.stdout.split())
    assert processor_seconds <= IMAGES / 20
    assert peak_bytes < 2 * 1024**3
