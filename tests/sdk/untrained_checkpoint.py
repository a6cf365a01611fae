"""A checkpoint of an untrained network, for what is done to checkpoints."""

from pathlib import Path

from mobisdk.models.checkpoint import Checkpoint, save_checkpoint
from mobisdk.models.untrained import create_untrained_model
from mobisdk.specs import InputSpec, ModelSpec


def save_untrained(folder: Path, spec: ModelSpec) -> Path:
    """As if it had been trained on the digits."""
    path = folder / "network.safetensors"
    labels = tuple(str(digit) for digit in range(10))
    checkpoint = Checkpoint(spec, InputSpec(32, 32), labels, origin={"data": "digits", "run": "base"})
    save_checkpoint(path, checkpoint, create_untrained_model(spec, seed=0).state_dict())
    return path
