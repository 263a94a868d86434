"""The command `ops-center`. Parses, sets up logging and hands on; heavy imports wait until they are needed."""

from __future__ import annotations

import asyncio
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from ops_center import __version__
from ops_center.errors import OpsCenterError

app = typer.Typer(
    name="ops-center",
    help="An LLM gateway in front of every provider, and the console that runs it.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

Host = Annotated[str | None, typer.Option(help="Address to listen on. (default: 127.0.0.1)")]
Port = Annotated[int | None, typer.Option(help="Port to listen on. (default: 8084)")]
DataDir = Annotated[
    Path | None, typer.Option(help="Where database, journal and master key live. (default: data)")
]


def main() -> None:
    """Run the command; what the operator can mend becomes one line on stderr and exit code 2."""
    try:
        app()
    except OpsCenterError as error:
        sys.exit(_complain(error.message + (f" {error.hint}" if error.hint else "")))


def _complain(line: str) -> int:
    typer.echo(f"ops-center: {line}", err=True)
    return 2


def _settings(**given: Any) -> Any:
    """Settings from the environment and the options given; a wrong one ends the process with one line."""
    from pydantic import ValidationError

    from ops_center.settings import Settings
    from ops_center.telemetry.logging import configure_logging

    try:
        settings = Settings(**{name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        name = str(first["loc"][0]) if first["loc"] else "settings"
        raise typer.Exit(_complain(f"OPS_CENTER_{name.upper()}: {first['msg']}")) from None
    configure_logging(settings.log_level)
    return settings


def _run(main: Any) -> None:
    try:
        import uvloop
    except ImportError:
        asyncio.run(main)
    else:
        uvloop.run(main)


@app.command()
def serve(
    host: Host = None,
    port: Port = None,
    data_dir: DataDir = None,
    workers: Annotated[
        int | None, typer.Option(help="Processes that serve the gateway, 1 to 64. (default: 1)")
    ] = None,
) -> None:
    """Run the server: the gateway, the control API and the console."""
    settings = _settings(host=host, port=port, data_dir=data_dir, workers=workers)
    if settings.workers > 1:
        raise typer.Exit(_supervise(settings))
    from ops_center.app import serve as run_server

    _run(run_server(settings))


def _supervise(settings: Any) -> int:
    """Several processes; this one only looks after them, so it loads nothing of what they are."""
    from ops_center.workers.lifeline import ControlSockets, WorkerSettings
    from ops_center.workers.supervisor import Supervisor

    def worker_settings(index: int, run_dir: str, sockets: tuple[int, ...]) -> WorkerSettings:
        return WorkerSettings(
            index=index,
            log_level=settings.log_level,
            journal=str((settings.data_dir / "journal").absolute()),
            run_dir=run_dir,
            sockets=sockets,
            connect_timeout_seconds=settings.connect_timeout_seconds,
            answer_timeout_seconds=settings.answer_timeout_seconds,
            first_chunk_timeout_seconds=settings.first_chunk_timeout_seconds,
            chunk_timeout_seconds=settings.chunk_timeout_seconds,
            valkey_url=settings.valkey_url,
            valkey_failure=settings.valkey_failure,
        )

    def run_control(sockets: ControlSockets) -> None:
        from ops_center.app import serve_behind_workers

        _run(serve_behind_workers(settings, sockets))

    settings.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    return Supervisor(
        host=settings.host,
        port=settings.port,
        workers=settings.workers,
        worker_settings=worker_settings,
        run_control=run_control,
    ).run()


@app.command()
def demo(port: Port = None) -> None:
    """A filled console without a key or a network: simulated providers, throw-away data."""
    settings = _settings(port=port)
    from ops_center.demo import run_demo

    # Outside the event loop, whose end waits for the threads that may still be writing into it.
    with tempfile.TemporaryDirectory(prefix="ops-center-demo-") as directory:
        _run(run_demo(settings, Path(directory)))


@app.command()
def simulate(port: Annotated[int, typer.Option(help="Port to listen on.")], host: Host = None) -> None:
    """The provider simulator alone: OpenAI, Anthropic and OpenRouter on one port."""
    from ops_center.simulator.server import run

    run(host or "127.0.0.1", port)


@app.command("migrate")
def migrate_command(data_dir: DataDir = None) -> None:
    """Bring the database to this version's schema; SQLite is backed up first."""
    settings = _settings(data_dir=data_dir)
    from ops_center.storage.migrate import migrate

    settings.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    applied = asyncio.run(migrate(settings.resolved_database_url, settings.data_dir))
    typer.echo(f"applied: {', '.join(applied)}" if applied else "the database is up to date")


@app.command("create-admin")
def create_admin_command(
    email: Annotated[str, typer.Option(prompt=True)],
    password: Annotated[str, typer.Option(prompt=True, hide_input=True, confirmation_prompt=True)],
    data_dir: DataDir = None,
) -> None:
    """Create an admin, or make an existing user one with a new password."""
    settings = _settings(data_dir=data_dir)
    from ops_center.control.context import utc_now
    from ops_center.control.users.service import create_admin
    from ops_center.storage.database import Database
    from ops_center.storage.migrate import migrate

    async def work() -> None:
        settings.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        await migrate(settings.resolved_database_url, settings.data_dir)
        database = await Database.open(settings.resolved_database_url)
        try:
            await create_admin(database, email, password, now=utc_now())
        finally:
            await database.close()

    asyncio.run(work())
    typer.echo(f"{email} is an admin")


@app.command("rotate-master-key")
def rotate_master_key_command(data_dir: DataDir = None) -> None:
    """Seal every stored secret under a new master key. Stop the server first."""
    settings = _settings(data_dir=data_dir)
    from ops_center.storage.database import Database
    from ops_center.storage.secrets import Rotation, rotate_master_key

    async def work() -> Rotation:
        database = await Database.open(settings.resolved_database_url)
        try:
            key = settings.master_key.get_secret_value() if settings.master_key else None
            return await rotate_master_key(database, key, settings.data_dir)
        finally:
            await database.close()

    done = asyncio.run(work())
    typer.echo(f"{done.resealed} secrets sealed anew under key {done.key_id}")


@app.command("verify-audit-log")
def verify_audit_log_command(
    noted: Annotated[
        str | None, typer.Option(help="NUMBER:HASH of an entry noted earlier, which must still be there.")
    ] = None,
    data_dir: DataDir = None,
) -> None:
    """Compute every hash of the audit log anew; exit code 1 when an entry was changed or removed."""
    settings = _settings(data_dir=data_dir)
    from ops_center.control.audit_log.chain import Noted, Verification, verify
    from ops_center.storage.database import Database

    number, _, digest = (noted or "").partition(":")
    if noted is not None and not (number.isdecimal() and len(digest) == 64):
        raise typer.Exit(_complain("--noted: must be NUMBER:HASH, as an earlier verification printed it"))

    async def work() -> Verification:
        database = await Database.open(settings.resolved_database_url)
        try:
            return await verify(database, Noted(int(number), digest.lower()) if noted else None)
        finally:
            await database.close()

    found = asyncio.run(work())
    until = f" ({found.at:%Y-%m-%dT%H:%M:%SZ})" if found.at else ""
    if found.problem:
        typer.echo(f"{found.problem}. In order up to entry {found.sequence}{until}: {found.hash}", err=True)
        raise typer.Exit(1)
    typer.echo(
        f"{found.entries} entries, all as they were written, up to {found.sequence}:{found.hash}{until}"
    )


@app.command("verify-usage")
def verify_usage_command(
    rebuild: Annotated[
        bool, typer.Option("--rebuild", help="First make all sums anew from the records.")
    ] = False,
    data_dir: DataDir = None,
) -> None:
    """Add all usage records up anew and compare with the sums that charts are made of; exit code 1 when they
    differ. The server may run."""
    settings = _settings(data_dir=data_dir)
    from ops_center.storage.database import Database
    from ops_center.storage.rollups.rebuild import close
    from ops_center.storage.rollups.rebuild import rebuild as make_anew
    from ops_center.storage.rollups.verify import Verification, verify

    async def work() -> Verification:
        database = await Database.open(settings.resolved_database_url)
        try:
            if rebuild:
                await make_anew(database)
                await close(database, datetime.now(UTC))
            return await verify(database)
        finally:
            await database.close()

    found = asyncio.run(work())
    if found.problem:
        typer.echo(f"{found.problem}. Make the sums anew with --rebuild.", err=True)
        raise typer.Exit(1)
    usd = f"{found.cost_nano_usd // 10**9}.{found.cost_nano_usd % 10**9:09}"
    typer.echo(
        f"{found.records} records of ${usd} equal their sums: {found.quarters} by quarter-hour, {found.hours} by "
        f"hour, {found.days} by day, {found.weeks} by week"
    )


@app.command()
def check(data_dir: DataDir = None) -> None:
    """Say whether a server could start here: settings, database, schema, master key. Changes nothing."""
    settings = _settings(data_dir=data_dir)
    from ops_center.check import check_installation

    for line in asyncio.run(check_installation(settings)):
        typer.echo(line)


@app.command()
def version() -> None:
    """Print the version."""
    typer.echo(__version__)


if __name__ == "__main__":
    main()
