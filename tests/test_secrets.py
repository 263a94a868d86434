"""Sealing and opening: what a sealed secret is bound to, where the master key lives, how it is changed."""

from __future__ import annotations

import asyncio
import base64
import os
import stat
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import insert, select, update

from ops_center.storage.database import Database
from ops_center.storage.secrets import (
    SecretBox,
    SecretError,
    installation_key,
    load_master_key,
    preview,
    rotate_master_key,
)
from ops_center.storage.tables import credentials, sealed_secrets

pytestmark = pytest.mark.anyio

KEY = bytes(range(32))
SECRET = "sk-or-v1-0123456789abcdefwxyz"
NOW = datetime(2026, 11, 23, tzinfo=UTC)


TEXT = st.text(st.characters(codec="utf-8"))


@given(TEXT, TEXT)
def test_what_is_sealed_opens_again(plaintext: str, context: str) -> None:
    box = SecretBox([KEY])
    assert box.open(box.seal(plaintext, context), context) == plaintext


def test_the_same_secret_never_looks_the_same() -> None:
    box = SecretBox([KEY])
    assert box.seal(SECRET, "a") != box.seal(SECRET, "a")


def test_a_sealed_secret_has_version_key_id_nonce_and_tag() -> None:
    box = SecretBox([KEY])
    sealed = box.seal(SECRET, "a")
    assert sealed[0] == 1
    assert sealed[1:9].hex() == box.key_id
    assert len(sealed) == 1 + 8 + 12 + len(SECRET) + 16
    assert SECRET.encode() not in sealed


def test_a_secret_of_one_row_does_not_open_in_another() -> None:
    box = SecretBox([KEY])
    with pytest.raises(SecretError, match="belongs elsewhere"):
        box.open(box.seal(SECRET, "credential:cred_1"), "credential:cred_2")


def test_no_changed_byte_goes_unnoticed() -> None:
    box = SecretBox([KEY])
    sealed = box.seal(SECRET, "a")
    for index in range(len(sealed)):
        changed = sealed[:index] + bytes([sealed[index] ^ 1]) + sealed[index + 1 :]
        with pytest.raises(SecretError):
            box.open(changed, "a")
    for length in range(len(sealed)):
        with pytest.raises(SecretError):
            box.open(sealed[:length], "a")


def test_another_master_key_is_a_clear_error_without_the_secret() -> None:
    sealed = SecretBox([KEY]).seal(SECRET, "credential:cred_1")
    with pytest.raises(SecretError, match="sealed under another master key") as caught:
        SecretBox([b"x" * 32]).open(sealed, "credential:cred_1")
    assert SECRET not in repr(caught.value)


def test_a_box_shows_neither_keys_nor_secrets() -> None:
    box = SecretBox([KEY, b"x" * 32])
    shown = repr(box) + str(vars(box))
    assert "1 older" in shown
    for form in (repr(KEY)[2:-1], KEY.hex(), base64.b64encode(KEY).decode()):
        assert form not in shown


@pytest.mark.parametrize(
    "setting",
    [
        KEY.hex(),
        KEY.hex().upper(),
        base64.b64encode(KEY).decode(),
        base64.urlsafe_b64encode(KEY).decode().rstrip("="),
        f"  {KEY.hex()}\n",
    ],
)
def test_the_setting_may_be_hex_or_base64(setting: str, data_dir: Path) -> None:
    box = load_master_key(setting, data_dir)
    assert box.key_id == SecretBox([KEY]).key_id
    assert not (data_dir / "master.key").exists()


@pytest.mark.parametrize(
    "setting", ["password", KEY.hex()[:-2], base64.b64encode(KEY + b"x").decode(), "ä" * 43, ","]
)
def test_any_other_setting_is_one_line_that_does_not_repeat_it(setting: str, data_dir: Path) -> None:
    with pytest.raises(SecretError, match="OPS_CENTER_MASTER_KEY must hold 32 random bytes") as caught:
        load_master_key(setting, data_dir)
    assert "\n" not in caught.value.message
    assert len(setting) < 3 or setting not in caught.value.message


def test_a_missing_file_is_made_for_its_owner_alone_and_read_the_next_time(data_dir: Path) -> None:
    sealed = load_master_key(None, data_dir).seal(SECRET, "a")
    assert stat.S_IMODE((data_dir / "master.key").stat().st_mode) == 0o600
    assert load_master_key("", data_dir).open(sealed, "a") == SECRET
    assert [path.name for path in data_dir.iterdir()] == ["master.key"]


def test_starts_at_the_same_time_agree_on_one_key(data_dir: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        boxes = list(pool.map(lambda _: load_master_key(None, data_dir), range(8)))
    assert len({box.key_id for box in boxes}) == 1


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o666])
def test_a_file_that_others_may_read_is_refused(mode: int, data_dir: Path) -> None:
    load_master_key(None, data_dir)
    (data_dir / "master.key").chmod(mode)
    with pytest.raises(SecretError, match="may be read by others") as caught:
        load_master_key(None, data_dir)
    assert "chmod 600" in (caught.value.hint or "")


@pytest.mark.parametrize("content", ["", "# only a comment\n", "not a key\n"])
def test_a_file_without_a_key_is_refused(content: str, data_dir: Path) -> None:
    file = data_dir / "master.key"
    file.touch(0o600)
    file.write_text(content)
    with pytest.raises(SecretError, match=r"master\.key"):
        load_master_key(None, data_dir)


@pytest.mark.parametrize(
    ("secret", "shown"),
    [("", "…"), ("short", "…"), ("x" * 19, "…"), (SECRET, "sk-o…wxyz"), ("a" * 16 + "bcde", "aaaa…bcde")],
)
def test_a_preview_shows_eight_characters_at_most(secret: str, shown: str) -> None:
    assert preview(secret) == shown


async def store(database: Database, box: SecretBox, *names: str) -> None:
    rows = [
        {
            "id": name,
            "secret": box.seal(f"{SECRET}-{name}", f"credential:{name}"),
            "preview": "…",
            "created_at": NOW,
            "updated_at": NOW,
        }
        for name in names
    ]
    async with database.write() as connection:
        await connection.execute(insert(credentials), rows)


async def sealed_rows(database: Database) -> dict[str, bytes]:
    async with database.read() as connection:
        rows = await connection.execute(select(credentials.c.id, credentials.c.secret))
        return {row.id: row.secret for row in rows}


async def opened_rows(database: Database, box: SecretBox) -> dict[str, str]:
    rows = await sealed_rows(database)
    return {name: box.open(sealed, f"credential:{name}") for name, sealed in rows.items()}


EXPECTED = {"cred_1": f"{SECRET}-cred_1", "cred_2": f"{SECRET}-cred_2"}


async def test_a_rotation_seals_every_credential_under_a_fresh_key(
    database: Database, data_dir: Path
) -> None:
    before = load_master_key(None, data_dir)
    former = before.key_id
    await store(database, before, "cred_1", "cred_2")
    rotation = await rotate_master_key(database, None, data_dir)
    after = load_master_key(None, data_dir)
    assert (rotation.resealed, rotation.key_id) == (2, after.key_id)
    assert after.key_id != former
    assert all(after.is_current(sealed) for sealed in (await sealed_rows(database)).values())
    assert await opened_rows(database, after) == EXPECTED
    assert stat.S_IMODE((data_dir / "master.key").stat().st_mode) == 0o600


async def test_a_rotation_seals_the_other_secrets_too(database: Database, data_dir: Path) -> None:
    box = load_master_key(None, data_dir)
    sealed = box.seal(SECRET, "setting:mail.password")
    async with database.write() as connection:
        await connection.execute(
            insert(sealed_secrets).values(name="setting:mail.password", secret=sealed, updated_at=NOW)
        )
    rotation = await rotate_master_key(database, None, data_dir)
    async with database.read() as connection:
        resealed = (await connection.execute(select(sealed_secrets.c.secret))).scalar_one()
    after = load_master_key(None, data_dir)
    assert rotation.resealed == 1
    assert after.is_current(resealed)
    assert after.open(resealed, "setting:mail.password") == SECRET


async def test_a_key_of_the_installation_is_made_once_sealed_and_outlives_a_rotation(
    database: Database, data_dir: Path
) -> None:
    box = load_master_key(None, data_dir)
    keys = await asyncio.gather(*(installation_key(database, box, "marks", NOW) for _ in range(5)))
    assert len(set(keys)) == 1 and len(keys[0]) == 32
    assert await installation_key(database, box, "others", NOW) != keys[0]
    await rotate_master_key(database, None, data_dir)
    async with database.read() as connection:
        stored = b"".join((await connection.execute(select(sealed_secrets.c.secret))).scalars())
    assert keys[0] not in stored and base64.b64encode(keys[0]) not in stored
    assert await installation_key(database, load_master_key(None, data_dir), "marks", NOW) == keys[0]
    with pytest.raises(SecretError):
        await installation_key(database, SecretBox([KEY]), "marks", NOW)


async def test_a_running_server_follows_a_rotation_beside_it(database: Database, data_dir: Path) -> None:
    running = load_master_key(None, data_dir)
    await store(database, running, "cred_1", "cred_2")
    rotation = await rotate_master_key(database, None, data_dir)
    assert await opened_rows(database, running) == EXPECTED
    assert running.seal(SECRET, "a")[1:9].hex() == rotation.key_id


async def test_a_key_is_forgotten_by_the_second_rotation_after_it(database: Database, data_dir: Path) -> None:
    load_master_key(None, data_dir)
    first = SecretBox([base64.b64decode(key_lines(data_dir)[0])])
    await store(database, first, "cred_1", "cred_2")
    for _ in range(3):
        await rotate_master_key(database, None, data_dir)
    assert len(key_lines(data_dir)) == 2
    assert await opened_rows(database, load_master_key(None, data_dir)) == EXPECTED
    with pytest.raises(SecretError):
        await opened_rows(database, first)


def key_lines(data_dir: Path) -> list[str]:
    lines = (data_dir / "master.key").read_text().splitlines()
    return [line for line in lines if not line.startswith("#")]


async def test_a_key_in_the_environment_is_rotated_to_its_first(database: Database, data_dir: Path) -> None:
    old, new = os.urandom(32).hex(), os.urandom(32).hex()
    await store(database, load_master_key(old, data_dir), "cred_1", "cred_2")
    assert (await rotate_master_key(database, f"{new},{old}", data_dir)).resealed == 2
    assert await opened_rows(database, load_master_key(new, data_dir)) == EXPECTED
    assert (await rotate_master_key(database, new, data_dir)).resealed == 0


async def test_a_rotation_moves_from_the_file_to_the_environment(database: Database, data_dir: Path) -> None:
    await store(database, load_master_key(None, data_dir), "cred_1", "cred_2")
    new = os.urandom(32).hex()
    await rotate_master_key(database, new, data_dir)
    assert await opened_rows(database, load_master_key(new, data_dir)) == EXPECTED


async def test_a_rotation_that_cannot_open_one_changes_none(database: Database, data_dir: Path) -> None:
    box = load_master_key(None, data_dir)
    await store(database, box, "cred_1", "cred_2")
    foreign = SecretBox([b"x" * 32]).seal(SECRET, "credential:cred_2")
    async with database.write() as connection:
        await connection.execute(
            update(credentials).where(credentials.c.id == "cred_2").values(secret=foreign)
        )
    before = await sealed_rows(database)
    with pytest.raises(SecretError, match="cred_2"):
        await rotate_master_key(database, None, data_dir)
    assert await sealed_rows(database) == before
    sealed = before["cred_1"]
    assert load_master_key(None, data_dir).open(sealed, "credential:cred_1") == EXPECTED["cred_1"]
