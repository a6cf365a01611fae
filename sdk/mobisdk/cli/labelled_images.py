"""Which labelled images a command takes, and whether their classes are the network's."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from mobisdk.errors import ConfigError, DataError

if TYPE_CHECKING:
    from mobisdk.data import Dataset, ImageRef

_NAMES_SHOWN = 5


def choose_images(images: "Sequence[ImageRef]", limit: int | None, option: str) -> "Sequence[ImageRef]":
    """Spread `limit` evenly over each class's images, which are put in the order of their hashes: names mean much.

    Raises:
        ConfigError: `limit`, which was given as `option`, is below 1.
    """
    if limit is None:
        return images
    if limit < 1:
        raise ConfigError(f"{option} must be a number of images", got=limit, allowed="1 or more")
    by_class: dict[int, list[int]] = {}
    for index in sorted(range(len(images)), key=lambda index: images[index].sha256):
        by_class.setdefault(images[index].label, []).append(index)
    places = sorted(
        ((rank + 0.5) / len(indices), label, index)
        for label, indices in by_class.items()
        for rank, index in enumerate(indices)
    )
    return [images[index] for index in sorted(index for _, _, index in places[:limit])]


def check_classes(dataset: "Dataset", labels: Sequence[str], owner: str) -> None:
    """Refuse classes that are not the labels of `owner`, in their order.

    Raises:
        DataError: says which are missing, which are extra, or where the order differs.
    """
    classes = dataset.classes
    if classes == labels:
        return
    missing, extra = Counter(labels) - Counter(classes), Counter(classes) - Counter(labels)
    differences = []
    if missing:
        differences.append(f"it lacks {list_names(missing.elements())}")
    if extra:
        differences.append(f"it has {list_names(extra.elements())}, which {owner} does not know")
    if not differences:
        place = next(place for place, label in enumerate(labels) if classes[place] != label)
        differences.append(f"they are in another order: class {place} is {classes[place]!r}, not {labels[place]!r}")
    raise DataError(
        f"the classes of {dataset.source} are not the labels of {owner}: {'; '.join(differences)}",
        hint="Take the data that it was trained on, or name the classes as its labels.txt does",
    )


def list_names(names: Iterable[str]) -> str:
    """The first few, quoted: they come from files."""
    quoted = [repr(name) for name in names]
    more = f" and {len(quoted) - _NAMES_SHOWN} more" if len(quoted) > _NAMES_SHOWN else ""
    return f"{', '.join(quoted[:_NAMES_SHOWN])}{more}"
