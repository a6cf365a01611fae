"""The app's log, off a phone without network: by adb or devicectl, the only programs that this room starts."""

import json
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from mobisdk.errors import DeviceError

ANDROID_APP: Final = "dev.mobisdk.app"
IOS_APP: Final = "dev.mobisdk.MobiBench"
_ANDROID_LOG: Final = "/sdcard/Android/data/{app}/files/latency.jsonl"
_IOS_LOG: Final = "Documents/latency.jsonl"
_SECONDS: Final = 600
_LONGEST_TOLD: Final = 300


def pull_android_log(target: Path, *, device: str | None = None, app: str = ANDROID_APP) -> str:
    """Copy the app's log from an Android phone to `target`; the phone's serial number is returned.

    Raises:
        DeviceError: adb is not installed, no phone or several are connected, or the app has no log.
    """
    adb = _find("adb", "Install Android's platform tools")
    serial = _choose(_list_android(adb), device, "Turn on USB debugging and accept this computer on the phone")
    source = _ANDROID_LOG.format(app=app)
    _run([adb, "-s", serial, "pull", source, str(target)], f"the log of {app} cannot be copied from {serial}")
    return _check(target, serial)


def pull_ios_log(target: Path, *, device: str | None = None, app: str = IOS_APP) -> str:
    """Copy the app's log from an iPhone to `target`; the phone's identifier is returned.

    Raises:
        DeviceError: devicectl is not installed, no phone or several are connected, or the app has no log.
    """
    xcrun = _find("xcrun", "devicectl comes with Xcode 15, on a Mac")
    identifier = _choose(_list_ios(xcrun), device, "Unlock the iPhone and trust this computer")
    command = [xcrun, "devicectl", "device", "copy", "from", "--device", identifier]
    command += ["--domain-type", "appDataContainer", "--domain-identifier", app]
    command += ["--source", _IOS_LOG, "--destination", str(target)]
    _run(command, f"the log of {app} cannot be copied from {identifier}")
    return _check(target, identifier)


def _list_android(adb: str) -> list[str]:
    """Serial numbers of the phones that are ready."""
    lines = _run([adb, "devices"], "adb cannot list phones").splitlines()[1:]
    states = dict(line.split("\t", 1) for line in lines if "\t" in line)
    waiting = [serial for serial, state in states.items() if state.strip() == "unauthorized"]
    if waiting and "device" not in {state.strip() for state in states.values()}:
        raise DeviceError("the phone has not accepted this computer", got=waiting[0], hint="Look at its screen")
    return [serial for serial, state in states.items() if state.strip() == "device"]


def _list_ios(xcrun: str) -> list[str]:
    """Identifiers of the iPhones that are connected."""
    with tempfile.TemporaryDirectory(prefix="mobisdk-") as folder:
        answer = Path(folder) / "devices.json"
        _run([xcrun, "devicectl", "list", "devices", "--json-output", str(answer)], "devicectl cannot list phones")
        try:
            found: list[dict[str, Any]] = json.loads(answer.read_bytes())["result"]["devices"]
            states = {str(phone["identifier"]): phone["connectionProperties"].get("tunnelState") for phone in found}
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as exc:
            raise DeviceError("devicectl's answer is not what it was", hint="Update Xcode, or mobisdk") from exc
    return [identifier for identifier, state in states.items() if state != "unavailable"]


def _choose(ready: Sequence[str], wanted: str | None, hint: str) -> str:
    if wanted is not None:
        if wanted not in ready:
            raise DeviceError("this phone is not ready", got=wanted, allowed=", ".join(ready) or "none is", hint=hint)
        return wanted
    if not ready:
        raise DeviceError("no phone is ready", hint=hint)
    if len(ready) > 1:
        raise DeviceError("several phones are ready", got=", ".join(ready), hint="Name one with --device")
    return ready[0]


def _find(program: str, hint: str) -> str:
    path = shutil.which(program)
    if path is None:
        raise DeviceError(f"{program} is not on the PATH", hint=hint)
    return path


def _run(command: Sequence[str], failure: str) -> str:
    try:
        done = subprocess.run(command, capture_output=True, timeout=_SECONDS, check=False)
    except subprocess.TimeoutExpired as exc:
        raise DeviceError(f"{failure}: it takes more than {_SECONDS} s", hint="Connect the phone again") from exc
    output, told = (text.decode(errors="replace") for text in (done.stdout, done.stderr))
    if done.returncode:
        lines = (told.strip() or output.strip() or "no reason given").splitlines()
        raise DeviceError(f"{failure}: {lines[-1][:_LONGEST_TOLD]!r}", hint="Has the app measured anything yet?")
    return output


def _check(target: Path, phone: str) -> str:
    if not target.is_file():
        raise DeviceError("the phone copied nothing", got=phone, hint="Has the app measured anything yet?")
    return phone
