"""What a recipe's runtime adds to an app, besides the network: bytes of native code for one arm64 phone.

Nobody publishes them for org.pytorch:executorch-android, whose one library holds core and XNNPACK. The figures are of
a public build of ExecuTorch 1.4.1 that keeps its backends in libraries of their own, stripped and not compressed.
"""

import dataclasses

_MEASURED = "https://github.com/software-mansion/react-native-executorch/issues/1464"
_CORE, _XNNPACK, _VULKAN = 13_451_672, 2_673_072, 11_736_456


@dataclasses.dataclass(frozen=True)
class RuntimeLibrary:
    """Bytes, or None where nobody says, and who says so."""

    size_bytes: int | None
    source: str


_LIBRARIES = {
    ("executorch", "xnnpack"): RuntimeLibrary(_CORE + _XNNPACK, _MEASURED),
    ("executorch", "vulkan"): RuntimeLibrary(_CORE + _VULKAN, _MEASURED),
    ("executorch", "portable"): RuntimeLibrary(_CORE, _MEASURED),
    ("executorch", "qnn"): RuntimeLibrary(None, "Qualcomm's libraries come with its SDK, and depend on the chip"),
    ("executorch", "coreml"): RuntimeLibrary(None, "ExecuTorch publishes no size of backend_coreml"),
    ("coreml", "coreml"): RuntimeLibrary(0, "Core ML is part of iOS"),
}


def find_runtime_library(runtime: str, backend: str) -> RuntimeLibrary:
    """Look up what an app must carry to run a recipe of this runtime and backend."""
    return _LIBRARIES[runtime, backend]
