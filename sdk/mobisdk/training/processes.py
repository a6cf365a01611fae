"""Which of the processes of one training this is: started by torchrun, or by Lightning for --devices."""

import contextlib
import os
import socket
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mobisdk.errors import ConfigError, DataError, DeviceError, MobiError
from mobisdk.training.spec import ChosenDevice

if TYPE_CHECKING:
    from torch import Tensor

_ELASTIC = "TORCHELASTIC_RUN_ID"
"""Set by torchrun."""
_LAUNCHED = ("MASTER_ADDR", "MASTER_PORT", "NODE_RANK", "LOCAL_RANK", "WORLD_SIZE")
"""What Lightning sets where it starts the other processes, and leaves behind."""


@dataclass(frozen=True)
class Processes:
    """The processes of one training; each has a part of every batch."""

    rank: int = 0
    size: int = 1
    a_machine: int = 1
    """How many of them one machine has."""

    @property
    def part(self) -> slice:
        """Which images of a batch, or of the held-out images, are this process's."""
        return slice(self.rank, None, self.size)


def is_first() -> bool:
    """Whether this is the process that writes and speaks; the others only compute."""
    if _ELASTIC in os.environ:
        return os.environ["RANK"] == "0"
    return not all(name in os.environ for name in _LAUNCHED) or os.environ["LOCAL_RANK"] == "0"


def count_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def find_processes(devices: int | None, device: ChosenDevice, batch_size: int) -> Processes:
    """Read what torchrun or Lightning says, or plan to start `devices` processes on this machine.

    Raises:
        ConfigError: there are not so many devices, torchrun started another number, or the batch cannot be shared
            out evenly.
    """
    if _ELASTIC in os.environ:
        size, a_machine = int(os.environ["WORLD_SIZE"]), int(os.environ["LOCAL_WORLD_SIZE"])
        if devices not in (None, a_machine):
            raise ConfigError(
                "--devices is not what torchrun started", got=devices, allowed=str(a_machine), hint="Leave it out"
            )
        processes = Processes(int(os.environ["RANK"]), size, a_machine)
    else:
        size = devices or 1
        processes = Processes(0 if size == 1 or is_first() else int(os.environ["LOCAL_RANK"]), size, size)
    there = _count_devices(device)
    if not 1 <= processes.a_machine <= there:
        raise ConfigError(
            "there are not so many devices here",
            got=processes.a_machine,
            allowed=f"1 to {there} {'GPUs' if device == 'cuda' else 'cores'}",
        )
    if batch_size % processes.size:
        raise ConfigError(
            "a batch must be shared out evenly",
            got=batch_size,
            allowed=f"a multiple of {processes.size}",
            hint=f"Try --batch-size {-(-batch_size // processes.size) * processes.size}",
        )
    return processes


def _count_devices(device: ChosenDevice) -> int:
    if device == "cpu":
        return count_cores()
    import torch

    return torch.cuda.device_count()


@contextlib.contextmanager
def launched(processes: Processes) -> Iterator[None]:
    """Around a training: what its processes need from each other, and what becomes of their errors.

    Raises:
        ConfigError: MASTER_PORT is in use.
        DeviceError: the processes do not find each other.
    """
    if processes.size == 1:
        yield
        return
    from torch.distributed import DistNetworkError, destroy_process_group, is_initialized

    is_ours = _ELASTIC not in os.environ
    before = {name: os.environ.get(name) for name in _LAUNCHED}
    if is_ours and processes.rank == 0:
        _check_port()
    try:
        yield
    except MobiError:
        # It is every process's; the first one tells it. Another status would have Lightning kill that one before.
        if is_ours and processes.rank:
            sys.exit(0)
        raise
    except DistNetworkError as error:
        where = f"{os.environ.get('MASTER_ADDR')}:{os.environ.get('MASTER_PORT')}"
        raise DeviceError(f"the training's processes do not find each other ({error})", got=where) from error
    finally:
        if is_initialized():
            destroy_process_group()
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _check_port() -> None:
    port = os.environ.get("MASTER_PORT")
    if port is None:
        return  # Lightning takes a free one
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("", int(port)))
        except (OSError, ValueError, OverflowError) as error:
            raise ConfigError(
                f"the port for the training's processes cannot be used ({error})",
                got=port,
                hint="Set MASTER_PORT to another one, or unset it: then a free one is taken",
            ) from error


def mean_over_processes(values: "Tensor") -> "Tensor":
    """The mean of what each process has; of one process the very same."""
    import torch.distributed as dist

    if not (dist.is_available() and dist.is_initialized()):
        return values
    total = values.clone()
    dist.all_reduce(total)
    return total / dist.get_world_size()


def sum_over_processes(count: int, device: Any) -> int:
    """The sum of what each process has counted."""
    import torch
    import torch.distributed as dist

    if not (dist.is_available() and dist.is_initialized()):
        return count
    total = torch.tensor(count, dtype=torch.int64, device=device)
    dist.all_reduce(total)
    return int(total)


def check_same(facts: dict[str, Any]) -> None:
    """Refuse a training whose processes were told or see different things.

    Raises:
        DataError: one of `facts` is not the same in every process.
    """
    import torch.distributed as dist

    if not (dist.is_available() and dist.is_initialized()):
        return
    everyone: list[Any] = [None] * dist.get_world_size()
    dist.all_gather_object(everyone, facts)
    for fact, value in everyone[0].items():
        if others := [rank for rank, each in enumerate(everyone) if each[fact] != value]:
            raise DataError(
                f"the processes of the training do not agree about {fact}",
                got=f"process {others[0]} differs from process 0",
                hint="Give every machine the same command, data and version, and to resume a shared --runs",
            )
