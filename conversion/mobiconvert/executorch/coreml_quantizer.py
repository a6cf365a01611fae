"""Which operators Core ML of iOS 17 wants rounded to int8, and how: ExecuTorch's quantizer, which comes from Apple."""

import contextlib
from collections.abc import Callable, Iterator

import torch
from torch.fx import GraphModule, Node

from mobiconvert.quantization import is_of_the_network
from mobiconvert.quiet import quiet_imports

with quiet_imports():
    from coremltools.optimize.torch.quantization import LinearQuantizerConfig, ModuleLinearQuantizerConfig
    from executorch.backends.apple.coreml.quantizer import CoreMLQuantizer, _coreml_quantizer_utils
    from torchao.quantization.pt2e.quantizer import Quantizer


def coreml_quantizer() -> Quantizer:
    """W8A8: weights symmetric int8 by output channel; activations uint8 by tensor, from zero up after a ReLU.

    Apple's has no transposed convolutions: their weights stay float16, and the manifest says so.
    """
    config = ModuleLinearQuantizerConfig(
        quantization_scheme="symmetric",
        activation_dtype=torch.quint8,
        weight_dtype=torch.qint8,
        weight_per_channel=True,
        activation_observer="min_max",  # a moving average is for training: it would be mostly the first image
    )
    return _QuickCoreMLQuantizer(LinearQuantizerConfig(global_config=config))


class _QuickCoreMLQuantizer(CoreMLQuantizer):  # type: ignore[misc]
    """The same annotations in a twentieth of the time, and none on the normalization."""

    def _annotate_all_patterns(
        self,
        model: GraphModule,
        quantization_config: ModuleLinearQuantizerConfig,
        filter_fn: Callable[[Node], bool] | None = None,
    ) -> None:
        with _only_activations_of(model):
            super()._annotate_all_patterns(
                model,
                quantization_config,
                lambda node: is_of_the_network(node) and (filter_fn is None or filter_fn(node)),
            )


@contextlib.contextmanager
def _only_activations_of(model: GraphModule) -> Iterator[None]:
    """Leave out patterns that cannot match: each is traced anew, and all of them take 40 s."""
    present = {str(node.target).split(".")[1].rstrip("_") for node in model.graph.nodes if "aten." in str(node.target)}
    if "hardtanh" in present:
        present.add("relu6")
    names = ("_supported_activations", "_supported_activations_no_inplace")
    kept = {name: getattr(_coreml_quantizer_utils, name) for name in names}
    try:
        for name, functions in kept.items():
            setattr(_coreml_quantizer_utils, name, tuple(f for f in functions if f.__name__ in present))
        yield
    finally:
        for name, functions in kept.items():
            setattr(_coreml_quantizer_utils, name, functions)
