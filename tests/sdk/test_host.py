"""Facts of this computer, read from made-up /proc and /sys trees: what is not there is null."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from mobisdk.devices import host

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="these are Linux's files")

BATTERY = {"type": "Battery", "capacity": "84", "status": "Discharging", "temp": "312"}
MOUSE = {"type": "Battery", "scope": "Device", "capacity": "10", "status": "Discharging"}


def grow(root: Path, files: Mapping[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{text}\n")
    return root


def supply(name: str, values: Mapping[str, str]) -> dict[str, str]:
    return {f"sys/class/power_supply/{name}/{key}": value for key, value in values.items()}


def test_device_is_named_by_firmware_and_processor(tmp_path: Path) -> None:
    root = grow(
        tmp_path,
        {
            "sys/class/dmi/id/sys_vendor": "LENOVO",
            "sys/class/dmi/id/product_name": "20XW",
            "proc/cpuinfo": "processor : 0\nmodel name\t: Intel(R) Core(TM) i7-1185G7\n\nprocessor : 1\nmodel name : x",
        },
    )

    device = host.read_device(root)

    assert (device.platform, device.manufacturer, device.model) == ("linux", "LENOVO", "20XW")
    assert device.soc == "Intel(R) Core(TM) i7-1185G7"
    assert (device.api_level, device.is_emulator) == (None, False)
    assert device.cpu_cores == len(os.sched_getaffinity(0))


def test_board_is_named_by_its_device_tree(tmp_path: Path) -> None:
    root = grow(tmp_path, {"sys/firmware/devicetree/base/model": "Raspberry Pi 5 Model B\0", "proc/cpuinfo": "x : y"})

    device = host.read_device(root)

    assert (device.manufacturer, device.model, device.soc) == (None, "Raspberry Pi 5 Model B", None)


def test_placeholders_of_a_maker_are_no_names(tmp_path: Path) -> None:
    root = grow(
        tmp_path,
        {
            "sys/class/dmi/id/sys_vendor": "To Be Filled By O.E.M.",
            "sys/class/dmi/id/product_name": "System Product Name",
            "proc/cpuinfo": "model name : AMD Ryzen",
        },
    )

    assert host.read_device(root).manufacturer is None
    assert host.read_device(root).model == "AMD Ryzen"


def test_this_computer_has_a_name_and_its_memory() -> None:
    device = host.read_device()

    total_kib = next(
        int(line.split()[1]) for line in Path("/proc/meminfo").read_text().splitlines() if line.startswith("MemTotal")
    )
    assert device.model
    assert device.memory_bytes == total_kib * 1024


def test_two_threads_of_a_core_are_one_core(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 4, 5, 6})
    siblings = {0: "0,4", 4: "0,4", 1: "1,5", 5: "1,5", 2: "2,6", 6: "2,6"}
    root = grow(
        tmp_path,
        {f"sys/devices/system/cpu/cpu{n}/topology/thread_siblings_list": text for n, text in siblings.items()},
    )

    cores = host.read_cores(root)

    assert (cores.logical, cores.physical, cores.quota) == (5, 3, None)
    assert cores.best_threads == 3


@pytest.mark.parametrize(
    ("files", "quota", "threads"),
    [
        ({"sys/fs/cgroup/cpu.max": "max 100000"}, None, 4),
        ({"sys/fs/cgroup/cpu.max": "250000 100000"}, 2.5, 2),
        ({"sys/fs/cgroup/cpu.max": "50000 100000"}, 0.5, 1),
        ({"proc/self/cgroup": "0::/a/b", "sys/fs/cgroup/a/cpu.max": "300000 100000"}, 3.0, 3),
        (
            {
                "proc/self/cgroup": "0::/a/b",
                "sys/fs/cgroup/a/cpu.max": "300000 100000",
                "sys/fs/cgroup/a/b/cpu.max": "max 100000",
                "sys/fs/cgroup/cpu.max": "150000 100000",
            },
            1.5,
            1,
        ),
    ],
)
def test_container_limits_threads(
    files: dict[str, str], quota: float | None, threads: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 2, 3})

    cores = host.read_cores(grow(tmp_path, files))

    assert (cores.physical, cores.quota, cores.best_threads) == (4, quota, threads)


def test_conditions_of_a_laptop(tmp_path: Path) -> None:
    root = grow(
        tmp_path,
        {
            **supply("AC", {"type": "Mains", "online": "0"}),
            **supply("BAT0", BATTERY),
            **supply("hidpp_battery_0", MOUSE),
            "sys/firmware/acpi/platform_profile": "low-power",
            "sys/class/thermal/thermal_zone0/type": "acpitz",
            "sys/class/thermal/thermal_zone0/temp": "27800",
            "sys/class/thermal/thermal_zone1/type": "x86_pkg_temp",
            "sys/class/thermal/thermal_zone1/temp": "61000",
            "sys/class/thermal/thermal_zone2/type": "broken",
            "sys/class/thermal/cooling_device0/type": "Processor",
        },
    )

    conditions = host.read_conditions(root)

    assert (conditions.battery_level, conditions.charging, conditions.battery_celsius) == (0.84, False, 31.2)
    assert conditions.low_power_mode is True
    assert conditions.thermal_raw == "x86_pkg_temp 61.0 °C"
    assert (conditions.thermal_before, conditions.thermal_after, conditions.foreground) == (None, None, None)


@pytest.mark.parametrize(
    ("status", "charging"), [("Charging", True), ("Full", False), ("Not charging", False), ("Unknown", None)]
)
def test_charging_is_what_the_battery_says(status: str, charging: bool | None, tmp_path: Path) -> None:
    root = grow(tmp_path, supply("BAT0", BATTERY | {"status": status}))

    assert host.read_conditions(root).charging is charging


def test_two_batteries_have_no_single_level(tmp_path: Path) -> None:
    root = grow(tmp_path, supply("BAT0", BATTERY) | supply("BAT1", BATTERY))

    assert host.read_conditions(root).battery_level is None


def test_machine_that_says_nothing_has_only_nulls(tmp_path: Path) -> None:
    assert set(vars(host.read_conditions(tmp_path)).values()) == {None}
    assert host.read_peak_memory(tmp_path) is None
    assert host.read_device(tmp_path).soc is None


def test_file_that_refuses_to_be_read_is_null(tmp_path: Path) -> None:
    (tmp_path / "sys/firmware/acpi/platform_profile").mkdir(parents=True)

    assert host.read_conditions(tmp_path).low_power_mode is None


def test_peak_memory_is_this_programs_own() -> None:
    """A child of a large process is small: `ru_maxrss` says otherwise, since it counts the time before `exec`."""
    ballast = bytearray(200 * 2**20)
    ballast[:: 2**12] = b"x" * len(ballast[:: 2**12])
    program = "from mobisdk.devices.host import read_peak_memory; print(read_peak_memory())"

    child = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    own = host.read_peak_memory()
    assert own is not None
    assert own > len(ballast)
    assert 2**20 < int(child.stdout) < len(ballast)


def test_process_id_is_another_in_each_process() -> None:
    program = "from mobisdk.devices.host import PROCESS_ID; print(PROCESS_ID)"

    child = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert len(child.stdout.strip()) == len(host.PROCESS_ID) == 36
    assert child.stdout.strip() != host.PROCESS_ID
