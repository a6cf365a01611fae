"""What a training with a teacher needs beside its data: the teacher, unlabelled images, and answers that are kept."""

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mobisdk.data import Dataset, ImageRef, decode_images
from mobisdk.data.unlabelled import UnlabelledImages, open_unlabelled
from mobisdk.errors import DataError
from mobisdk.files import write_atomically
from mobisdk.training.plan import TrainingPlan

if TYPE_CHECKING:
    from torch import Tensor

    from mobisdk.training.distillation import Teach
    from mobisdk.training.objective import Objective
    from mobisdk.training.teacher import Teacher

_BATCH = 64
_CACHE_FORMAT = 1


@dataclasses.dataclass(frozen=True, eq=False)
class Teaching:
    """A teacher, and the images that only it says something of."""

    plan: TrainingPlan
    teacher: "Teacher"
    unlabelled: UnlabelledImages | None

    @property
    def images(self) -> tuple[ImageRef, ...]:
        """To train with, behind the data set's."""
        return () if self.unlabelled is None else self.unlabelled.images

    def describe(self) -> dict[str, Any]:
        """What spec.json says of it."""
        spec = self.teacher.spec
        return {
            "teacher": {
                "name": spec.name,
                "sha256": self.teacher.sha256,
                "resize": self.teacher.input.resize,
                "resolution": spec.resolution,
                "answers": "kept" if self.plan.shows_one_view else "at every step",
            },
            "unlabelled": None
            if self.unlabelled is None
            else {
                "sha256": self.unlabelled.sha256,
                "images": len(self.unlabelled.images),
                "left_out": self.unlabelled.left_out,
            },
        }

    def check_unchanged(self, described: Mapping[str, Any]) -> None:
        """Refuse a teacher or unlabelled images other than those that a run started with.

        Raises:
            DataError: they are others.
        """
        now = self.describe()
        for what, source in (("teacher", self._spec.teacher), ("unlabelled", self._spec.unlabelled)):
            before, after = described[what], now[what]
            if (before and before["sha256"]) != (after and after["sha256"]):
                subject = "the teacher has" if what == "teacher" else "the unlabelled images have"
                raise DataError(
                    f"{subject} changed since the run started", got=source, hint="Restore it, or train a new run"
                )

    def build_objective(self, images: tuple[ImageRef, ...], names: tuple[str, ...], cache: Path) -> "Objective":
        """What is minimized; `images` are all that are trained with, `names` those of them that were not broken.

        Raises:
            OSError: the disk is full, or `cache` cannot be written.
        """
        from mobisdk.training.distillation import distil

        teach: Teach = self.teacher
        if self.plan.shows_one_view:
            answers = self._load_answers(images, names, cache)

            def recall(batch: Any) -> "Tensor":
                return answers[batch.indices.cpu()].to(batch.images.device)

            teach = recall
        return distil(
            teach,
            temperature=self._spec.temperature,
            mix=self._spec.mix,
            label_smoothing=self.plan.label_smoothing,
        )

    @property
    def _spec(self) -> Any:
        return self.plan.distillation

    def _load_answers(self, images: tuple[ImageRef, ...], names: tuple[str, ...], cache: Path) -> "Tensor":
        """(images, num_classes) logits: the teacher looks at every image once, as its own preprocessing shows it."""
        import safetensors.torch

        kept = set(names)
        shown = [image for image in images if image.name in kept]
        path = cache / f"answers-{self._name_answers(shown)}.safetensors"
        if not path.exists():
            cache.mkdir(parents=True, exist_ok=True)
            write_atomically(path, safetensors.torch.save({"logits": self._answer(shown, cache)}))
        return safetensors.torch.load_file(path)["logits"]

    def _answer(self, images: list[ImageRef], cache: Path) -> "Tensor":
        import torch

        from mobisdk.data.batches import normalize

        decoded = decode_images(images, self.teacher.input, cache=cache)
        return torch.cat(
            [
                self.teacher.answer(
                    normalize(torch.from_numpy(decoded.pixels[start : start + _BATCH]), self.teacher.input)
                )
                for start in range(0, len(decoded.pixels), _BATCH)
            ]
        )

    def _name_answers(self, images: list[ImageRef]) -> str:
        named = {
            "format": _CACHE_FORMAT,
            "weights": self.teacher.sha256,
            "spec": dataclasses.asdict(self.teacher.spec),
            "input": dataclasses.asdict(self.teacher.input),
            "order": self.teacher.order.tolist(),
            "images": hashlib.sha256("".join(image.sha256 for image in images).encode()).hexdigest(),
        }
        return hashlib.sha256(json.dumps(named, sort_keys=True).encode()).hexdigest()[:32]


def open_teaching(plan: TrainingPlan, dataset: Dataset) -> Teaching | None:
    """Load the plan's teacher and find its unlabelled images; None where the plan has no teacher.

    Raises:
        DataError: the teacher cannot be read or knows other classes; there are no unlabelled images.
        UnsupportedError: nobody known here publishes the teacher's weights.
    """
    from mobisdk.training.teacher import load_teacher

    if plan.distillation is None:
        return None
    teacher = load_teacher(plan.distillation.teacher, dataset.classes, plan.input)
    folder = plan.distillation.unlabelled
    return Teaching(plan, teacher, None if folder is None else open_unlabelled(Path(folder), dataset))
