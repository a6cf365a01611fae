"""The server's certificate: the user's, or a self-signed one that is made once and kept: phones know it again."""

import dataclasses
import datetime
import hashlib
import ipaddress
import os
from collections.abc import Sequence
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from mobisdk.errors import ConfigError
from mobisdk.files import write_atomically

_DAYS = 825
"""Apple's longest for a certificate of a server."""
_RENEW_DAYS = 30


@dataclasses.dataclass(frozen=True)
class Certificate:
    """PEM files, and the fingerprint that phones pin."""

    cert: Path
    key: Path
    sha256: str
    names: tuple[str, ...]
    """The host names that it is for, wildcards left out."""


def read_certificate(cert: Path, key: Path) -> Certificate:
    """Read the user's certificate.

    Raises:
        ConfigError: a file is missing or no PEM, or the key is another certificate's.
    """
    try:
        leaf = x509.load_pem_x509_certificates(cert.read_bytes())[0]
        private = serialization.load_pem_private_key(key.read_bytes(), None)
    except (OSError, ValueError, TypeError) as exc:
        raise ConfigError(f"the certificate cannot be read: {exc}", got=f"{cert}, {key}", allowed="PEM files") from exc
    if private.public_key() != leaf.public_key():
        raise ConfigError("the key is not the certificate's", got=str(key))
    return Certificate(cert, key, _fingerprint(leaf), _host_names(leaf))


def keep_certificate(folder: Path, names: Sequence[str]) -> Certificate:
    """Use the self-signed certificate in `folder`; make one where there is none or it is about to end.

    Phones trust it by its fingerprint, whatever its names; `names` are for browsers.
    """
    cert, key = folder / "certificate.pem", folder / "key.pem"
    if cert.is_file() and key.is_file():
        kept = read_certificate(cert, key)
        left = x509.load_pem_x509_certificate(cert.read_bytes()).not_valid_after_utc - _now()
        if left > datetime.timedelta(days=_RENEW_DAYS):
            return kept
    folder.mkdir(parents=True, exist_ok=True)
    private = ec.generate_private_key(ec.SECP256R1())
    made = _sign(private, names)
    pem = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    before = os.umask(0o077)  # nobody else may read the key, not even for a moment
    try:
        write_atomically(key, pem)
    finally:
        os.umask(before)
    write_atomically(cert, made.public_bytes(serialization.Encoding.PEM))
    return Certificate(cert, key, _fingerprint(made), _host_names(made))


def _sign(private: ec.EllipticCurvePrivateKey, names: Sequence[str]) -> x509.Certificate:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "mobisdk lab server")])
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(_now() - datetime.timedelta(days=1))
        .not_valid_after(_now() + datetime.timedelta(days=_DAYS - 1))
        .add_extension(x509.SubjectAlternativeName([_name(name) for name in names]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(private, hashes.SHA256())
    )


def _name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _host_names(certificate: x509.Certificate) -> tuple[str, ...]:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ()
    return tuple(name for name in names.get_values_for_type(x509.DNSName) if "*" not in name)


def _fingerprint(certificate: x509.Certificate) -> str:
    return hashlib.sha256(certificate.public_bytes(serialization.Encoding.DER)).hexdigest()


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)
