"""Makes LiteRT's files out of exported networks, in an environment of its own: its converter brings JAX with it.

    .venv-litert/bin/python tests/benchmarks/litert_models.py FOLDER

For each FOLDER/NAME.pt2 (a `torch.export` of one (1,3,H,W) float32 image in [0,1]) writes NAME.tflite, which takes the
image as (1,H,W,3), the layout that LiteRT computes in, and NAME-int8.tflite, quantized statically by LiteRT's own
quantizer on the (N,3,H,W) images in NAME.npy: weights in int8 by channel, activations in int8.
"""

import sys
from pathlib import Path

import litert_torch
import numpy as np
import torch
from ai_edge_quantizer import quantizer, recipe


class Planes(torch.nn.Module):
    """The network behind a transposition, which LiteRT's converter takes out again together with its own."""

    def __init__(self, network: torch.nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Logits of one (1,H,W,3) image."""
        logits: torch.Tensor = self.network(image.permute(0, 3, 1, 2))
        return logits


def main() -> None:
    """Convert every network of the folder."""
    for program in sorted(Path(sys.argv[1]).glob("*.pt2")):
        images = np.load(program.with_suffix(".npy")).transpose(0, 2, 3, 1)
        network = Planes(torch.export.load(program).module(check_guards=False))
        converted = litert_torch.convert(network, (torch.from_numpy(images[:1].copy()),), strict_export=False)
        path = program.with_suffix(".tflite")
        converted.export(str(path))
        quantize = quantizer.Quantizer(str(path), recipe.static_wi8_ai8())
        (name,) = signature_inputs(path)
        ranges = quantize.calibrate({"serving_default": [{name: image[None]} for image in images]})
        quantize.quantize(ranges).export_model(program.with_name(f"{program.stem}-int8.tflite"), overwrite=True)


def signature_inputs(path: Path) -> list[str]:
    """Names by which the file's one signature takes its inputs."""
    from ai_edge_litert.interpreter import Interpreter

    names: list[str] = Interpreter(str(path)).get_signature_list()["serving_default"]["inputs"]
    return names


if __name__ == "__main__":
    main()
