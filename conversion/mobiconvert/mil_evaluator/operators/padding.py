"""How convolutions and pools are padded: MIL's four ways, as amounts before and after each spatial dimension."""

from typing import Literal

PadType = Literal["valid", "same", "same_lower", "custom"]
Pads = tuple[tuple[int, int], ...]


def resolve_pads(
    pad_type: PadType,
    pad: tuple[int, ...] | None,
    sizes: tuple[int, ...],
    extents: tuple[int, ...],
    strides: tuple[int, ...],
) -> Pads:
    """Padding before and after each spatial dimension of `sizes`, for a (dilated) window of `extents`.

    `same` makes ceil(size / stride) outputs; an odd amount has its extra element after, in `same_lower` before.
    """
    if pad_type == "custom":
        if pad is None or len(pad) != 2 * len(sizes):
            raise ValueError(f"custom padding of {len(sizes)} dimensions is {pad}")
        return tuple((pad[2 * i], pad[2 * i + 1]) for i in range(len(sizes)))
    if pad_type == "valid":
        return tuple((0, 0) for _ in sizes)
    pads = []
    for size, extent, stride in zip(sizes, extents, strides, strict=True):
        total = max(0, (-(-size // stride) - 1) * stride + extent - size)
        less, more = total // 2, total - total // 2
        pads.append((less, more) if pad_type == "same" else (more, less))
    return tuple(pads)


def torch_order(pads: Pads) -> list[int]:
    """As `torch.nn.functional.pad` takes them: the last dimension first."""
    return [amount for before_after in reversed(pads) for amount in before_after]
