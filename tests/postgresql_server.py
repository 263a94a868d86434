"""A throw-away PostgreSQL server for one test run: a fresh cluster on a Unix socket, gone afterwards.

It finds the server's programs and runs them as somebody other than root, which PostgreSQL insists on.
It never touches a server that runs already.
"""

from __future__ import annotations

import asyncio
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import asyncpg

_PLACES = (
    "/usr/lib/postgresql/*/bin",
    "/usr/pgsql-*/bin",
    "/usr/local/pgsql/bin",
    "/opt/homebrew/opt/postgresql*/bin",
)
# Nothing of it must outlive a crash of the machine, so it need not wait for the disk.
_OPTIONS = "-F -c synchronous_commit=off -c full_page_writes=off -c max_connections=60 -c listen_addresses=''"


class PostgresqlServer:
    """Makes databases on the one cluster; `url(name)` is what the product is given."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._numbers = count(1)

    def url(self, name: str) -> str:
        return f"postgresql+asyncpg://postgres@/{name}?host={self._folder}"

    def create(self, template: str = "template0") -> str:
        """A new database, a copy of `template`; its name."""
        name = f"test_{next(self._numbers)}"
        self._execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        return name

    def drop(self, name: str) -> None:
        self._execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    def _execute(self, statement: str) -> None:
        async def run() -> None:
            connection = await asyncpg.connect(user="postgres", database="postgres", host=str(self._folder))
            try:
                await connection.execute(statement)
            finally:
                await connection.close()

        asyncio.run(run())


def programs() -> Path | None:
    """The folder with `initdb` and `pg_ctl`, the newest first; None where no server is installed."""
    found = sorted((path for place in _PLACES for path in Path("/").glob(place.lstrip("/"))), reverse=True)
    on_path = shutil.which("initdb")
    if on_path:
        found.append(Path(on_path).resolve().parent)
    return next(
        (folder for folder in found if (folder / "initdb").exists() and (folder / "pg_ctl").exists()), None
    )


@contextmanager
def running(folder_of_programs: Path) -> Iterator[PostgresqlServer]:
    """The server, from `initdb` to its end. In /tmp itself: a socket's path may have 107 bytes at most."""
    folder = Path(tempfile.mkdtemp(prefix="ops-center-postgresql-", dir="/tmp"))
    data = folder / "data"
    try:
        user = _somebody_else()
        if user is not None:
            os.chown(folder, user.pw_uid, user.pw_gid)

        options: dict[str, object] = {
            "cwd": folder,
            "stdout": subprocess.DEVNULL,
            "stderr": subprocess.DEVNULL,
        }
        if user is not None:
            options |= {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}

        def call(program: str, *arguments: str) -> None:
            subprocess.run([str(folder_of_programs / program), *arguments], check=True, **options)

        call(
            "initdb",
            "-D",
            str(data),
            "-A",
            "trust",
            "-U",
            "postgres",
            "-E",
            "UTF8",
            "--locale=C",
            "--no-sync",
        )
        # It ends when its input does: at our word, or when this process is killed.
        end = f"read _; {folder_of_programs}/pg_ctl -D {data} -m immediate -w stop; rm -rf {folder}"
        undertaker = subprocess.Popen(
            ["/bin/sh", "-c", end], stdin=subprocess.PIPE, start_new_session=True, **options
        )
        try:
            start = f"{_OPTIONS} -k {folder}"
            call("pg_ctl", "-D", str(data), "-l", str(folder / "log"), "-w", "-t", "60", "-o", start, "start")
            yield PostgresqlServer(folder)
        finally:
            undertaker.communicate()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _somebody_else() -> pwd.struct_passwd | None:
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise RuntimeError("PostgreSQL does not run as root, and there is nobody else to run it as")
