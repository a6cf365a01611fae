"""Which operators XNNPACK wants rounded to int8, and how."""

from mobiconvert.quantization import is_of_the_network
from mobiconvert.quiet import quiet_imports

with quiet_imports():
    from executorch.backends.xnnpack.quantizer.xnnpack_quantizer import (
        XNNPACKQuantizer,
        get_symmetric_quantization_config,
    )
    from torchao.quantization.pt2e.quantizer import Quantizer


def xnnpack_quantizer(*, trains: bool = False) -> Quantizer:
    """Weights symmetric by output channel, activations affine by tensor; `trains` for quantization-aware training."""
    quantizer = XNNPACKQuantizer()
    quantizer.set_global(get_symmetric_quantization_config(is_per_channel=True, is_qat=trains))
    return quantizer.set_filter_function(is_of_the_network)
