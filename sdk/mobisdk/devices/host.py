"""Facts of this computer for a latency run. What the system does not tell is null, never a guess."""

import dataclasses
import os
import platform
import subprocess
import sys
import uuid
from pathlib import Path

import mobisdk
from mobisdk.latency.record import App, Conditions, Device

PROCESS_ID = str(uuid.uuid4())
"""Drawn when this process starts: the system's own process numbers come back."""

_ROOT = Path("/")
_LONGEST_TEXT = 200
_PLACEHOLDERS = {"", "to be filled by o.e.m.", "default string", "system product name", "system manufacturer", "none"}
"""What boards say whose maker filled in nothing."""


@dataclasses.dataclass(frozen=True)
class Cores:
    """What this process may use: two hardware threads of one core are two logical processors and one physical core."""

    logical: int
    physical: int
    quota: float | None = None
    """Processors' worth of time that a container grants; null without a limit."""

    @property
    def best_threads(self) -> int:
        """One thread a physical core, and no more than the container grants: where small networks are fastest."""
        granted = self.physical if self.quota is None else min(self.physical, int(self.quota))
        return max(1, granted)


def describe_app() -> App:
    """This program."""
    return App(name="mobisdk bench", version=mobisdk.__version__, build=None)


def read_device(root: Path = _ROOT) -> Device:
    """Name this computer; `root` is where its /proc and /sys lie."""
    soc = _cpu_name(root)
    manufacturer, model = _product(root)
    return Device(
        platform={"darwin": "macos", "win32": "windows"}.get(sys.platform, sys.platform),
        manufacturer=manufacturer,
        model=model or soc or platform.machine(),
        soc=soc,
        os_version=_os_version(),
        api_level=None,
        cpu_cores=read_cores(root).logical,
        memory_bytes=_memory_bytes(),
        is_emulator=False,  # a virtual machine runs the code on the real processor
    )


def read_cores(root: Path = _ROOT) -> Cores:
    """Count what this process may use: its affinity, the cores behind it, and a container's share."""
    if not hasattr(os, "sched_getaffinity"):
        logical = os.cpu_count() or 1
        return Cores(logical, int(_sysctl("hw.physicalcpu") or logical))
    processors = os.sched_getaffinity(0)
    topology = root / "sys/devices/system/cpu"
    cores = {_read(topology / f"cpu{number}/topology/thread_siblings_list") or number for number in processors}
    return Cores(len(processors), len(cores), _cpu_quota(root))


def read_conditions(root: Path = _ROOT) -> Conditions:
    """Read battery, power profile and the hottest sensor.

    A computer has no thermal states as phones have them, so those are null; nor has it a foreground.
    """
    batteries = [path for path in _children(root / "sys/class/power_supply") if _is_system_battery(path)]
    battery = batteries[0] if len(batteries) == 1 else None  # two batteries have no single level
    capacity = _read_integer(battery / "capacity") if battery else None
    celsius = _read_integer(battery / "temp") if battery else None
    status = _read(battery / "status") if battery else None
    profile = _read(root / "sys/firmware/acpi/platform_profile")
    return Conditions(
        battery_level=None if capacity is None else min(capacity, 100) / 100,
        charging={"Charging": True, "Discharging": False, "Not charging": False, "Full": False}.get(status or ""),
        low_power_mode=None if profile is None else profile == "low-power",
        thermal_before=None,
        thermal_after=None,
        thermal_raw=_hottest_zone(root),
        battery_celsius=None if celsius is None else celsius / 10,
        foreground=None,
    )


def read_peak_memory(root: Path = _ROOT) -> int | None:
    """Largest resident memory of this process so far, in bytes, interpreter and libraries included.

    Linux's `ru_maxrss` counts the parent's memory from before `exec` too, so its own figure of this program is read.
    """
    if sys.platform == "darwin":
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for line in (_read(root / "proc/self/status") or "").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return None


def _cpu_name(root: Path) -> str | None:
    if sys.platform == "darwin":
        return _sysctl("machdep.cpu.brand_string")
    for line in (_read(root / "proc/cpuinfo") or "").splitlines():
        key, _, value = line.partition(":")
        if key.strip() == "model name" and value.strip():
            return value.strip()[:_LONGEST_TEXT]
    return None


def _product(root: Path) -> tuple[str | None, str | None]:
    """Manufacturer and model: from the firmware's tables, or a board's device tree."""
    if sys.platform == "darwin":
        return "Apple", _sysctl("hw.model")
    maker, name = (_read(root / "sys/class/dmi/id" / file) for file in ("sys_vendor", "product_name"))
    if name is None:
        name = _read(root / "sys/firmware/devicetree/base/model")
    return _unless_placeholder(maker), _unless_placeholder(name)


def _unless_placeholder(text: str | None) -> str | None:
    return None if text is None or text.lower() in _PLACEHOLDERS else text[:_LONGEST_TEXT]


def _os_version() -> str:
    if sys.platform == "darwin":
        return f"macOS {platform.mac_ver()[0]}"
    try:
        name = platform.freedesktop_os_release()["PRETTY_NAME"]
    except OSError:
        name = platform.system()
    return f"{name}, kernel {platform.release()}"[:_LONGEST_TEXT]


def _memory_bytes() -> int | None:
    if "SC_PHYS_PAGES" not in getattr(os, "sysconf_names", {}):
        return None
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def _cpu_quota(root: Path) -> float | None:
    """Return the tightest limit of this process's control group and of those above it (version 2)."""
    line = next((line for line in (_read(root / "proc/self/cgroup") or "").splitlines() if line.startswith("0::")), "")
    folder = root / "sys/fs/cgroup" / line.removeprefix("0::").lstrip("/")
    quotas = []
    while folder.is_relative_to(root / "sys/fs/cgroup"):
        limit, _, period = (_read(folder / "cpu.max") or "max").partition(" ")
        if limit != "max":
            quotas.append(int(limit) / int(period))
        folder = folder.parent
    return min(quotas, default=None)


def _is_system_battery(supply: Path) -> bool:
    """Tell this computer's battery from that of a mouse."""
    return _read(supply / "type") == "Battery" and _read(supply / "scope") != "Device"


def _hottest_zone(root: Path) -> str | None:
    temperatures = {
        _read(zone / "type") or zone.name: _read_integer(zone / "temp")
        for zone in _children(root / "sys/class/thermal")
        if zone.name.startswith("thermal_zone")
    }
    known = {name: value for name, value in temperatures.items() if value is not None}
    if not known:
        return None
    name = max(known, key=lambda zone: known[zone])
    return f"{name} {known[name] / 1000:.1f} °C"[:_LONGEST_TEXT]


def _sysctl(name: str) -> str | None:
    answer = subprocess.run(["/usr/sbin/sysctl", "-n", name], capture_output=True, text=True, check=False)
    return answer.stdout.strip()[:_LONGEST_TEXT] or None


def _children(folder: Path) -> list[Path]:
    return sorted(folder.iterdir()) if folder.is_dir() else []


def _read(path: Path) -> str | None:
    """Return the text of one of the kernel's files; many exist only on some machines, or refuse to be read."""
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip().strip("\0") or None
    except OSError:
        return None


def _read_integer(path: Path) -> int | None:
    text = _read(path)
    return int(text) if text is not None and text.lstrip("-").isdecimal() else None
