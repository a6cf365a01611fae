"""One-time codes, and the tokens that they are exchanged for. The store holds hashes alone: who steals it is not in.

A secret has 128 random bits or more, so a plain hash of it cannot be searched; rows are found by the hash, which takes
no longer for a near miss, and the hash is compared in constant time.
"""

import dataclasses
import hashlib
import hmac
import json
import secrets
import time
from collections.abc import Collection, Sequence
from typing import Final, Literal

import sqlalchemy as sa

from mobisdk.errors import ConfigError
from mobisdk.server.store.engine import Store
from mobisdk.server.store.schema import codes, tokens

Right = Literal["read", "write", "manage"]
Kind = Literal["phone", "page", "program"]

CODE_SECONDS: Final = 15 * 60
SESSION_SECONDS: Final = 12 * 3600
_LONGEST_NAME = 100


@dataclasses.dataclass(frozen=True)
class Token:
    """Who a request comes from. `manage` is the right to list and revoke tokens and to make codes."""

    token_id: str
    kind: Kind
    name: str
    rights: tuple[Right, ...]
    created_at: int
    """Milliseconds since 1970, as all times here."""
    expires_at: int | None
    revoked_at: int | None

    @property
    def is_good(self) -> bool:
        """Neither revoked nor expired."""
        return self.revoked_at is None and (self.expires_at is None or self.expires_at > _now())


def create_code(store: Store, rights: Collection[Right], *, lifetime_s: float = CODE_SECONDS) -> str:
    """Make a one-time code that gives at most `rights`."""
    code = secrets.token_urlsafe(16)
    with store.writing() as connection:
        connection.execute(codes.delete().where(codes.c.expires_at < _now()))
        connection.execute(
            codes.insert().values(
                code_sha256=_sha256(code),
                rights=" ".join(rights),
                expires_at=_now() + round(lifetime_s * 1000),
            )
        )
    return code


def redeem_code(store: Store, code: str, kind: Kind, name: str) -> tuple[str, Token] | None:
    """Exchange a code for a token's secret, once; null where the code is unknown, used or too old.

    A phone gets no right to manage, whatever the code gives.
    """
    digest = _sha256(code)
    with store.writing() as connection:
        used = connection.execute(
            codes.update()
            .where(codes.c.code_sha256 == digest, codes.c.used_at.is_(None), codes.c.expires_at > _now())
            .values(used_at=_now())
            .returning(codes.c.code_sha256, codes.c.rights)
        ).one_or_none()
        if used is None or not hmac.compare_digest(used.code_sha256, digest):
            return None
        allowed = {"phone": ("read", "write"), "page": ("read", "manage"), "program": ("read", "write", "manage")}[kind]
        rights = [right for right in used.rights.split() if right in allowed]
        secret, row = _make(kind, name, rights, SESSION_SECONDS if kind == "page" else None)
        connection.execute(tokens.insert().values(row))
    return secret, _read(row)


def create_token(store: Store, name: str, rights: Sequence[Right]) -> tuple[str, Token]:
    """Make a token for a program on the server's own computer; the secret is shown once and is kept nowhere."""
    secret, row = _make("program", name, rights, None)
    with store.writing() as connection:
        connection.execute(tokens.insert().values(row))
    return secret, _read(row)


def find_token(store: Store, secret: str) -> Token | None:
    """Return the good token that `secret` is of."""
    digest = _sha256(secret)
    with store.reading() as connection:
        row = connection.execute(sa.select(tokens).where(tokens.c.secret_sha256 == digest)).one_or_none()
    if row is None or not hmac.compare_digest(row.secret_sha256, digest):
        return None
    token = _read(dict(row._mapping))
    return token if token.is_good else None


def list_tokens(store: Store) -> list[Token]:
    """Every token that was not revoked and has not expired, the newest first."""
    with store.reading() as connection:
        rows = connection.execute(sa.select(tokens).order_by(tokens.c.created_at.desc())).all()
    return [token for token in (_read(dict(row._mapping)) for row in rows) if token.is_good]


def revoke_token(store: Store, token_id: str) -> None:
    """Make a token worthless from the next request on.

    Raises:
        ConfigError: there is no such token.
    """
    with store.writing() as connection:
        revoked = connection.execute(
            tokens.update()
            .where(tokens.c.token_id == token_id, tokens.c.revoked_at.is_(None))
            .values(revoked_at=_now())
            .returning(tokens.c.token_id)
        ).one_or_none()
    if revoked is None:
        raise ConfigError("there is no such token", got=token_id, hint="`mobisdk serve tokens` lists them")


def _make(kind: Kind, name: str, rights: Sequence[str], lifetime_s: float | None) -> tuple[str, dict[str, object]]:
    secret = secrets.token_urlsafe(32)
    row = {
        "token_id": secrets.token_hex(6),
        "secret_sha256": _sha256(secret),
        "kind": kind,
        "name": json.dumps(name[:_LONGEST_NAME]),
        "rights": " ".join(rights),
        "created_at": _now(),
        "expires_at": None if lifetime_s is None else _now() + round(lifetime_s * 1000),
        "revoked_at": None,
    }
    return secret, row


def _read(row: dict[str, object]) -> Token:
    values = {field.name: row[field.name] for field in dataclasses.fields(Token)}
    values["name"] = json.loads(str(row["name"]))
    values["rights"] = tuple(str(row["rights"]).split())
    return Token(**values)  # type: ignore[arg-type]


def _sha256(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def _now() -> int:
    return time.time_ns() // 1_000_000
