"""Seals credentials of providers and other secrets for the database, and opens them again, under one master key.

A sealed secret is bound to a context (the row it belongs to), so that moving it to another row breaks it.
It keeps no plaintext, and its errors and reprs never show any; API keys and passwords are hashed elsewhere.

    sealed = format version (1 byte) | id of the key (8) | nonce (12) | AES-256-GCM ciphertext and tag
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import re
import secrets
import stat
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import bindparam, select, update

from ops_center.errors import OpsCenterError
from ops_center.storage.database import Database
from ops_center.storage.tables import credentials, sealed_secrets

_VERSION = b"\x01"
_KEY_BYTES = 32
_ID_BYTES = 8
_NONCE_BYTES = 12
_HEADER_BYTES = 1 + _ID_BYTES
_FILE = "master.key"
_SETTING = "OPS_CENTER_MASTER_KEY"
_PREVIEWED = 4  # characters at each end
_SHORTEST_PREVIEWED = 20  # below this, eight characters would be too large a part of the secret


class SecretError(OpsCenterError):
    """A master key that cannot be used, or a sealed secret that cannot be opened."""

    type = "secret_error"


class SecretBox:
    """Seals under the newest key and opens what any of its keys has sealed."""

    def __init__(self, keys: Sequence[bytes], file: Path | None = None) -> None:
        """`keys`: 32 bytes each, newest first. `file`: where they came from, looked at again when it changes."""
        self._file = file
        self._seen: tuple[int, int] | None = _identity(file)
        self._use(keys)

    def _use(self, keys: Sequence[bytes]) -> None:
        self._ciphers = {_key_id(key): AESGCM(key) for key in keys}
        self._newest = _key_id(keys[0])

    @property
    def key_id(self) -> str:
        """The id of the key that seals; says nothing about the key itself."""
        return self._newest.hex()

    def seal(self, plaintext: str, context: str) -> bytes:
        """Encrypt `plaintext`; only `open` with the same `context` gives it back."""
        self._look_again()
        header = _VERSION + self._newest
        nonce = os.urandom(_NONCE_BYTES)
        cipher = self._ciphers[self._newest]
        return header + nonce + cipher.encrypt(nonce, plaintext.encode(), header + context.encode())

    def open(self, sealed: bytes, context: str) -> str:
        """The plaintext. Raises SecretError for another key, another context or changed bytes."""
        header, nonce = sealed[:_HEADER_BYTES], sealed[_HEADER_BYTES : _HEADER_BYTES + _NONCE_BYTES]
        if not header.startswith(_VERSION):
            raise SecretError(f"The stored secret of {context} has an unknown format")
        key_id = header[1:]
        if key_id not in self._ciphers:
            self._look_again()
        if key_id not in self._ciphers:
            raise SecretError(
                f"The stored secret of {context} was sealed under another master key (id {key_id.hex()})",
                hint=f"Bring back the former {_SETTING} or {_FILE}, or enter the secret again.",
            )
        try:
            plaintext = self._ciphers[key_id].decrypt(
                nonce, sealed[_HEADER_BYTES + _NONCE_BYTES :], header + context.encode()
            )
        except (InvalidTag, ValueError):
            raise SecretError(f"The stored secret of {context} is damaged, or belongs elsewhere") from None
        return plaintext.decode()

    def is_current(self, sealed: bytes) -> bool:
        """Whether the newest key has sealed it."""
        return sealed[:_HEADER_BYTES] == _VERSION + self._newest

    def _look_again(self) -> None:
        """A running server follows a rotation that happened beside it."""
        if self._file is None:
            return
        identity = _identity(self._file)
        if identity is not None and identity != self._seen:
            self._use(_read(self._file))
            self._seen = identity

    def __repr__(self) -> str:
        return f"SecretBox(key {self.key_id}, {len(self._ciphers) - 1} older)"


def load_master_key(setting: str | None, data_dir: Path) -> SecretBox:
    """The box of this installation, from `OPS_CENTER_MASTER_KEY` or else from `data_dir/master.key`.

    `setting`: 32 bytes as base64 or hex; former keys may follow after commas. The file is made, with a
    fresh key, when there is none. Raises SecretError with one line for anything unusable.
    """
    if setting and setting.strip():
        return SecretBox(_parse_all(setting.split(","), _SETTING))
    file = data_dir / _FILE
    try:
        if not file.exists():
            data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
            _create(file, [os.urandom(_KEY_BYTES)])
        return SecretBox(_read(file), file)
    except OSError as error:
        raise SecretError(f"The master key file {file} cannot be used: {error.strerror}") from error


class Rotation(msgspec.Struct, frozen=True, kw_only=True):
    """What a rotation did."""

    key_id: str  # of the key that seals from now on
    resealed: int  # secrets that an older key had sealed


async def rotate_master_key(database: Database, setting: str | None, data_dir: Path) -> Rotation:
    """Seal every secret under a new master key, all in one transaction.

    Without `setting` a fresh key goes to the top of `data_dir/master.key`; the one before stays below it,
    for backups and for a server that is sealing right now, until the rotation after this one. With it,
    the new key is its first, and the former ones are those after a comma and those of the file.
    Raises SecretError when one cannot be opened: then nothing in the database has changed.
    """
    file = data_dir / _FILE
    old = load_master_key(setting, data_dir)
    if setting and setting.strip():
        keys = _parse_all(setting.split(","), _SETTING)
        box = SecretBox(keys + (_read(file) if file.exists() else []))
    else:
        used = await _key_ids_in_use(database) | {bytes.fromhex(old.key_id)}
        keys = [os.urandom(_KEY_BYTES), *(key for key in _read(file) if _key_id(key) in used)]
        # First the file, then the rows: whatever happens in between, every row has its key.
        try:
            _replace(file, keys)
        except OSError as error:
            raise SecretError(f"The master key file {file} cannot be written: {error.strerror}") from error
        box = SecretBox(keys, file)
    return Rotation(key_id=box.key_id, resealed=await _reseal(database, box))


# Every column that holds sealed bytes: its row's id, itself, and what the context of a row is.
_SEALED = (
    (credentials.c.id, credentials.c.secret, "credential:{}"),
    (sealed_secrets.c.name, sealed_secrets.c.secret, "{}"),
)


async def _reseal(database: Database, box: SecretBox) -> int:
    resealed = 0
    async with database.write() as connection:
        for identifier, secret, context_of in _SEALED:
            changes = []
            for row, sealed in (await connection.execute(select(identifier, secret).with_for_update())).all():
                if not box.is_current(sealed):
                    context = context_of.format(row)
                    changes.append({"row": row, "sealed": box.seal(box.open(sealed, context), context)})
            if changes:
                statement = update(identifier.table).where(identifier == bindparam("row"))
                await connection.execute(statement.values(secret=bindparam("sealed")), changes)
            resealed += len(changes)
    return resealed


async def _key_ids_in_use(database: Database) -> set[bytes]:
    async with database.read() as connection:
        return {
            sealed[1:_HEADER_BYTES]
            for _, secret, _ in _SEALED
            for sealed in (await connection.execute(select(secret))).scalars()
        }


async def installation_key(database: Database, box: SecretBox, name: str, now: datetime) -> bytes:
    """32 random bytes that this installation keeps for one purpose, sealed like any other secret. Made when they are
    first asked for; every server on the same database gets the same. Raises SecretError."""
    query = select(sealed_secrets.c.secret).where(sealed_secrets.c.name == name)
    async with database.read() as connection:
        sealed = (await connection.execute(query)).scalar_one_or_none()
    if sealed is None:
        async with database.write() as connection:
            fresh = base64.b64encode(os.urandom(_KEY_BYTES)).decode()
            statement = database.insert_ignoring_duplicates(sealed_secrets)
            await connection.execute(
                statement.values(name=name, secret=box.seal(fresh, name), updated_at=now)
            )
            sealed = (await connection.execute(query)).scalar_one()
    return base64.b64decode(box.open(sealed, name))


def preview(secret: str) -> str:
    """What may be shown of a secret: `sk-o…wxyz`; of a short one nothing but the ellipsis."""
    if len(secret) < _SHORTEST_PREVIEWED:
        return "…"
    return f"{secret[:_PREVIEWED]}…{secret[-_PREVIEWED:]}"


def _key_id(key: bytes) -> bytes:
    return hashlib.sha256(b"ops-center master key id\0" + key).digest()[:_ID_BYTES]


def _parse_all(texts: Iterable[str], origin: str) -> list[bytes]:
    return [_parse(text.strip(), origin) for text in texts]


def _parse(text: str, origin: str) -> bytes:
    """32 bytes from hex or base64 (either alphabet, padded or not). The text never reaches the error."""
    if re.fullmatch(r"[0-9a-fA-F]{64}", text):
        return bytes.fromhex(text)
    standard = text.translate(str.maketrans("-_", "+/")).rstrip("=")
    try:
        key = base64.b64decode(standard + "=" * (-len(standard) % 4), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != _KEY_BYTES:
        raise SecretError(
            f"{origin} must hold 32 random bytes as base64 or hex",
            hint="Make one with: openssl rand -base64 32",
        )
    return key


def _identity(file: Path | None) -> tuple[int, int] | None:
    try:
        status = file.stat() if file else None
    except OSError:
        return None
    return (status.st_ino, status.st_mtime_ns) if status else None


def _read(file: Path) -> list[bytes]:
    mode = stat.S_IMODE(file.stat().st_mode)
    if os.name == "posix" and mode & 0o077:
        raise SecretError(
            f"The master key file {file} may be read by others (mode {mode:04o})",
            hint=f"Run: chmod 600 {file}",
        )
    lines = [line for line in file.read_text().splitlines() if line.strip() and not line.startswith("#")]
    if not lines:
        raise SecretError(f"The master key file {file} is empty")
    return _parse_all(lines, f"Each line of the master key file {file}")


def _create(file: Path, keys: Sequence[bytes]) -> None:
    """Put a whole file in place; when another start was faster, its file stays."""
    partial = _write(file, keys)
    try:
        os.link(partial, file)
    except FileExistsError:
        pass
    finally:
        partial.unlink()


def _replace(file: Path, keys: Sequence[bytes]) -> None:
    _write(file, keys).replace(file)


def _write(file: Path, keys: Sequence[bytes]) -> Path:
    partial = file.with_name(f".{file.name}.{secrets.token_hex(4)}")
    text = "# Ops-Center's master key, newest first. Without it no stored provider key can be read: back it up.\n"
    text += "".join(f"{base64.b64encode(key).decode()}\n" for key in keys)
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
    return partial
