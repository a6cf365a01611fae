"""Every error that mobisdk raises on purpose.

MobiError
├── ConfigError         a setting is wrong: a spec, an option, a combination
├── UnsupportedError    the request is understood, and cannot be met here
├── DataError           images, labels, checkpoints or logs are not what they should be
├── BundleError         a bundle is damaged, tampered with, or cannot be written
├── ConversionError     a toolchain refused the network
├── ParityError         the artefact disagrees with the network it was made from
├── DeviceError         a phone or an emulator cannot be reached or refused
└── ServerError         the lab server cannot start, answer or store
"""

_LONGEST_VALUE = 200
_ABSENT = object()


class MobiError(Exception):
    """One sentence that a person can act on: what is wrong, the value received, what is allowed, the next step."""

    def __init__(
        self, what: str, *, got: object = _ABSENT, allowed: str | None = None, hint: str | None = None
    ) -> None:
        self.what = what
        self.got = None if got is _ABSENT else got
        self.allowed = allowed
        self.hint = hint
        sentence = what
        if got is not _ABSENT:
            sentence += f", got {_shown(got)}"
        if allowed is not None:
            sentence += f"; allowed: {allowed}"
        if hint is not None:
            sentence += f". {hint}"
        super().__init__(sentence)


def _shown(value: object) -> str:
    """`value` on one line and not too long: it may come from a hostile file."""
    text = repr(value)
    return text if len(text) <= _LONGEST_VALUE else f"{text[:_LONGEST_VALUE]}… ({len(text)} characters)"


class ConfigError(MobiError):
    """A setting is wrong: a spec, an option, a combination."""


class UnsupportedError(MobiError):
    """The request is understood, and cannot be met here."""


class DataError(MobiError):
    """Images, labels, checkpoints or logs are not what they should be."""


class BundleError(MobiError):
    """A bundle is damaged, tampered with, or cannot be written."""


class ConversionError(MobiError):
    """A toolchain refused the network."""


class ParityError(MobiError):
    """The artefact disagrees with the network it was made from."""


class DeviceError(MobiError):
    """A phone or an emulator cannot be reached, or refused."""


class ServerError(MobiError):
    """The lab server cannot start, answer or store."""
