import dataclasses

import pytest

from mobisdk.errors import ConfigError
from mobisdk.specs import InputSpec, ModelSpec, TargetSpec, spec_from_dict


@pytest.mark.parametrize("alpha", [0, -1, 2.01, float("nan"), float("inf"), "0.5", True, None])
def test_model_spec_when_alpha_is_wrong_then_says_value_and_allowed(alpha: object) -> None:
    with pytest.raises(ConfigError) as caught:
        ModelSpec(alpha=alpha)  # type: ignore[arg-type]
    assert repr(alpha) in str(caught.value)
    assert "0 < alpha ≤ 2" in str(caught.value)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("resolution", 31),
        ("resolution", 224.0),
        ("resolution", 4096),
        ("num_classes", 1),
        ("num_classes", 1_000_001),
        ("num_classes", True),
        ("stem_stride", 3),
        ("width_divisor", 0),
        ("arch", "../mobilenet"),
        ("arch", ""),
        ("arch", 7),
    ],
)
def test_model_spec_when_a_field_is_wrong_then_names_it(field: str, value: object) -> None:
    with pytest.raises(ConfigError, match=field):
        ModelSpec(**{field: value})  # type: ignore[arg-type]


def test_model_spec_when_alpha_is_whole_then_equals_the_float() -> None:
    assert ModelSpec(alpha=1) == ModelSpec(alpha=1.0)
    assert isinstance(ModelSpec(alpha=1).alpha, float)


def test_model_spec_is_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        ModelSpec().alpha = 0.5  # type: ignore[misc]


def test_input_spec_for_resolution_when_224_then_is_the_usual_256() -> None:
    assert InputSpec.for_resolution(224) == InputSpec(resize=256, crop=224)


@pytest.mark.parametrize(
    "values",
    [
        {"resize": 31, "crop": 32},
        {"resize": 32, "crop": 0},
        {"resize": 32, "crop": 32, "mean": (0.5, 0.5)},
        {"resize": 32, "crop": 32, "mean": (0.5, 0.5, float("nan"))},
        {"resize": 32, "crop": 32, "std": (0.5, 0.0, 0.5)},
    ],
)
def test_input_spec_when_wrong_then_raises(values: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        InputSpec(**values)  # type: ignore[arg-type]


def test_target_spec_when_platform_is_unknown_then_says_allowed() -> None:
    with pytest.raises(ConfigError, match="android, ios"):
        TargetSpec("windows", "executorch", "xnnpack_fp32", "xnnpack", "23")  # type: ignore[arg-type]


def test_spec_from_dict_when_round_trip_then_equal() -> None:
    for spec in (ModelSpec(alpha=0.75), InputSpec(256, 224, mean=(0.1, 0.2, 0.3))):
        assert spec_from_dict(type(spec), dataclasses.asdict(spec)) == spec


def test_spec_from_dict_when_key_is_unknown_or_missing_then_names_it() -> None:
    with pytest.raises(ConfigError, match="alhpa"):
        spec_from_dict(ModelSpec, {"alhpa": 1.0})
    with pytest.raises(ConfigError, match="lacks crop"):
        spec_from_dict(InputSpec, {"resize": 256})
