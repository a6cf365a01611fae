"""The two good bundles from which `make_bundle_cases` makes all others."""

import copy
import hashlib
import struct
import zlib
from typing import Any

import numpy as np

from mobisdk.bundle.manifest import seal_manifest
from mobisdk.preprocess import preprocess
from mobisdk.specs import InputSpec

Manifest = dict[str, Any]
_DIGEST = hashlib.sha256(b"").hexdigest()
PACKAGE = "model.mlpackage/Data/com.apple.CoreML"


def android() -> dict[str, bytes]:
    target = {"platform": "android", "runtime": "executorch", "recipe": "xnnpack_fp32", "backend": "xnnpack"}
    versions = {"torch": "2.13.0", "executorch": "1.4.1", "coremltools": None}
    return sealed(
        {"target": {**target, "min_os": "23", "compute_units": None}, "tool_versions": versions},
        {"model.pte": noise("model.pte", 64)},
    )


def ios() -> dict[str, bytes]:
    target = {"platform": "ios", "runtime": "coreml", "recipe": "coreml_fp16", "backend": "coreml"}
    versions = {"torch": "2.13.0", "executorch": None, "coremltools": "9.0"}
    package = ("model.mlpackage/Manifest.json", f"{PACKAGE}/model.mlmodel", f"{PACKAGE}/weights/weight.bin")
    return sealed(
        {"target": {**target, "min_os": "16.0", "compute_units": "all"}, "tool_versions": versions},
        {name: noise(name, 64) for name in package},
    )


def noise(name: str, size: int) -> bytes:
    return (hashlib.sha256(name.encode()).digest() * size)[:size]


def sealed(changes: Manifest, model: dict[str, bytes]) -> dict[str, bytes]:
    """A whole bundle: two classes, 8x8 pixels, a golden image of 16x12."""
    y, x, channel = np.ogrid[:12, :16, :3]
    pixels = ((x * 13 + y * 7 + channel * 50) % 256).astype(np.uint8)
    spec = InputSpec(9, 8, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
    files = {
        **model,
        "labels.txt": b"cat\ndog\n",
        "golden_image.png": png(pixels.tobytes(), 16, 12),
        "golden_input.u8": preprocess(pixels, spec).tobytes(),
        "golden_output.f32": struct.pack("<2f", 1.5, -0.25),
    }
    listed = {n: {"sha256": hashlib.sha256(c).hexdigest(), "size_bytes": len(c)} for n, c in files.items()}
    return {"manifest.json": seal_manifest({**copy.deepcopy(MANIFEST), **changes, "files": listed}), **files}


def png(rgb: bytes, width: int, height: int) -> bytes:
    """Encode without compression, so that every zlib writes the same bytes."""
    rows = b"".join(b"\0" + rgb[row * width * 3 :][: width * 3] for row in range(height))
    chunks = {
        b"IHDR": struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0),
        b"IDAT": zlib.compress(rows, 0),
        b"IEND": b"",
    }
    packed = (struct.pack(">I", len(c)) + k + c + struct.pack(">I", zlib.crc32(k + c)) for k, c in chunks.items())
    return b"\x89PNG\r\n\x1a\n" + b"".join(packed)


MANIFEST: Manifest = {
    "created_at": "2026-01-02T03:04:05Z",
    "sdk_version": "0.1.0",
    "variant_id": hashlib.sha256(b"variant").hexdigest(),
    "model": {
        "spec": {"arch": "mobilenet_v1", "alpha": 0.25, "resolution": 8, "num_classes": 2},
        "arch": "mobilenet_v1",
        "alpha": 0.25,
        "resolution": 8,
        "num_classes": 2,
        "params": 10,
        "macs": 20,
        "weights": {"source": "random", "detail": "seed 0", "sha256": _DIGEST},
        "compression": [],
    },
    "input": {
        "name": "image",
        "kind": "tensor",
        "shape": [1, 3, 8, 8],
        "dtype": "float32",
        "color": "RGB",
        "preprocess": {
            "resize": 9,
            "crop": 8,
            "interpolation": "bilinear",
            "scale": 1 / 255,
            "mean": [0.5, 0.5, 0.5],
            "std": [0.5, 0.5, 0.5],
            "baked_in": True,
        },
    },
    "output": {"name": "logits", "shape": [1, 2], "dtype": "float32", "activation": "logits"},
    "delegation": {"ops_total": 3, "ops_delegated": 3, "macs_delegated": 20, "fallback": []},
    "parity": {
        "images": 20,
        "image_set_sha256": _DIGEST,
        "top1_agreement": 1.0,
        "max_abs_error": 1e-7,
        "sqnr_db": 120.0,
        "tolerance": 1e-4,
    },
    "golden": {
        "image": "golden_image.png",
        "input": "golden_input.u8",
        "output": "golden_output.f32",
        "tolerance": 0.01,
    },
}
