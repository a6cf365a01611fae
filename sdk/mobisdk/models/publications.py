"""Whose weights fit which architecture, and what those weights expect of it."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, Final

from mobisdk.models import published_keys as keys
from mobisdk.specs import InputSpec, ModelSpec

_IMAGENET = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}
_INCEPTION = {"mean": (0.5, 0.5, 0.5), "std": (0.5, 0.5, 0.5)}


@dataclasses.dataclass(frozen=True)
class Publication:
    """One publisher's form of one architecture."""

    name: str
    """As the publisher calls the architecture, behind the publisher's own name."""
    arch: str
    keys: Callable[[], keys.Keys]
    normalization: Mapping[str, tuple[float, float, float]]
    crop_share: float = 0.875
    """Of the resized photograph's shorter side that the network sees."""
    changes: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    """What these weights expect beside the architecture's own: fields of ModelSpec."""
    optional: tuple[str, ...] = ()
    """Modules of ours that some files of the publisher lack."""

    def adapt(self, spec: ModelSpec) -> ModelSpec:
        """The same network with the padding, activation and epsilon that these weights expect."""
        return dataclasses.replace(spec, **self.changes)

    def input_for(self, resolution: int) -> InputSpec:
        """How these weights expect a photograph."""
        return InputSpec(round(resolution / self.crop_share), resolution, **self.normalization)


_TENSORFLOW = {"padding": "same", "norm_epsilon": 1e-3}
_AUXILIARY = ("auxiliary", "auxiliary_classifier")

# Where two have the same names of weights, the first is taken unless the publisher's config says otherwise.
PUBLICATIONS: Final = (
    Publication(
        "timm/mobilenetv1_100", "mobilenet_v1", keys.timm_mobilenet_v1, _INCEPTION, changes={"activation": "relu6"}
    ),
    Publication("torchvision/mobilenet_v2", "mobilenet_v2", keys.torchvision_mobilenet_v2, _IMAGENET),
    Publication("timm/mobilenetv2_100", "mobilenet_v2", keys.timm_mobilenet_v2, _IMAGENET),
    Publication("torchvision/mobilenet_v3_large", "mobilenet_v3_large", keys.torchvision_mobilenet_v3_large, _IMAGENET),
    Publication(
        "timm/mobilenetv3_large_100",
        "mobilenet_v3_large",
        keys.timm_mobilenet_v3_large,
        _IMAGENET,
        changes={"norm_epsilon": 1e-5},
    ),
    Publication(
        "timm/tf_mobilenetv3_large_100",
        "mobilenet_v3_large",
        keys.timm_mobilenet_v3_large,
        _INCEPTION,
        changes=_TENSORFLOW,
    ),
    Publication("torchvision/mobilenet_v3_small", "mobilenet_v3_small", keys.torchvision_mobilenet_v3_small, _IMAGENET),
    Publication(
        "timm/mobilenetv3_small_100",
        "mobilenet_v3_small",
        keys.timm_mobilenet_v3_small,
        _IMAGENET,
        changes={"norm_epsilon": 1e-5},
    ),
    Publication(
        "timm/tf_mobilenetv3_small_100",
        "mobilenet_v3_small",
        keys.timm_mobilenet_v3_small,
        _INCEPTION,
        changes=_TENSORFLOW,
    ),
    Publication("timm/mobilenetv4_conv_small", "mobilenet_v4_conv_small", keys.timm_mobilenet_v4_conv_small, _IMAGENET),
    Publication(
        "timm/mobilenetv4_conv_medium", "mobilenet_v4_conv_medium", keys.timm_mobilenet_v4_conv_medium, _IMAGENET
    ),
    Publication("timm/mobilenetv4_conv_large", "mobilenet_v4_conv_large", keys.timm_mobilenet_v4_conv_large, _IMAGENET),
    Publication("torchvision/squeezenet1_0", "squeezenet_1_0", keys.torchvision_squeezenet_1_0, _IMAGENET),
    Publication("torchvision/squeezenet1_1", "squeezenet_1_1", keys.torchvision_squeezenet_1_1, _IMAGENET),
    Publication(
        "torchvision/inception_v3", "inception_v3", keys.torchvision_inception_v3, _INCEPTION, optional=_AUXILIARY
    ),
    Publication("timm/legacy_xception", "xception", keys.timm_xception, _INCEPTION, crop_share=0.8975),
)
