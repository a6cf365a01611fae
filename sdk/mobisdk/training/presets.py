"""Recipes by name: what a training uses where the user chose nothing."""

from dataclasses import dataclass

from mobisdk.training.spec import OptimizerName, PresetName, ScheduleName


@dataclass(frozen=True)
class Preset:
    """Values for a full network."""

    optimizer: OptimizerName = "sgd"
    schedule: ScheduleName = "one_cycle"
    warmup: float = 0.2
    """Share of the steps."""
    epochs: float = 1.0
    """Times the usual number for the data."""
    weight_decay: float = 5e-4
    label_smoothing: float = 0.1
    padding: float = 1 / 8
    """Of the resolution: CIFAR's usual four pixels around 32."""
    ema_decay: float = 0.99
    mixup: float = 0.0
    random_augment: float = 0.0
    """From 0 to 1."""
    small_epochs: float = 0.0
    """Share of the epochs, the first ones, that are trained at a lower resolution."""
    scaled: bool = True
    """Weight decay, smoothing and augmentation shrink with α: small networks overfit little."""


PRESETS: dict[PresetName | None, Preset] = {
    None: Preset(),
    # The first epochs at three quarters of the resolution take about half of their time; what that costs in accuracy at
    # the end was not measured. Source: Tan and Le 2021 (arXiv:2104.00298), section 4.
    "fast": Preset(label_smoothing=0.05, small_epochs=0.47, scaled=False),
    # Source: Howard et al. 2017 (arXiv:1704.04861), section 3.2: RMSprop as Inception v3, whose rate falls by 6 % every
    # other epoch; less augmentation, no label smoothing.
    "paper": Preset(
        optimizer="rmsprop", schedule="exponential", warmup=0.02, epochs=2.0, label_smoothing=0.0, weight_decay=4e-5
    ),
    # Source: mixup, Zhang et al. 2017 (arXiv:1710.09412); RandAugment, Cubuk et al. 2019 (arXiv:1909.13719).
    "strong": Preset(schedule="cosine", warmup=0.05, epochs=3.0, ema_decay=0.999, mixup=0.2, random_augment=0.5),
}
