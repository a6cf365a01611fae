"""An epoch's batches, cut and varied as the plan says."""

from mobisdk.data.batches import Augmentation, TrainingBatches, TrainingImages
from mobisdk.training.plan import TrainingPlan


def cut_batches(
    plan: TrainingPlan,
    images: TrainingImages,
    *,
    epoch: int = 0,
    resolution: int | None = None,
    part: slice = slice(None),
) -> TrainingBatches:
    """The batches of one epoch, for one process; at another `resolution` where one is given."""
    return TrainingBatches(
        images,
        plan.input,
        Augmentation(plan.padding, plan.flip, plan.random_augment, plan.mixup),
        batch_size=plan.batch_size,
        seed=plan.seed,
        epoch=epoch,
        resolution=resolution,
        device=plan.device,
        part=part,
    )
