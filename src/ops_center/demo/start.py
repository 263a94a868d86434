"""`ops-center demo`: simulated providers, a throw-away installation, and the server over it, in one process.

Everything lives in a directory that the caller deletes at the end. Takes nothing from the settings but
address, port and log level, so that it can never touch a real installation.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import signal
import sys
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import typer
from pydantic import SecretStr

from ops_center.app import Application, public_url
from ops_center.app import serve as serve_application
from ops_center.demo.company import ADMIN_EMAIL, PEOPLE, PROVIDERS, RETIRES_SOON
from ops_center.demo.seed import seed_demo
from ops_center.settings import Settings
from ops_center.simulator import SimulatorConfig
from ops_center.simulator import serve as simulate
from ops_center.telemetry.logging import configure_logging


async def run_demo(settings: Settings, directory: Path) -> None:
    """Serve the demo out of an empty directory until a signal says stop."""
    started = time.perf_counter()
    with contextlib.suppress(asyncio.CancelledError):
        _stop_on_sigterm()
        await _run(settings, directory, started)


async def _run(settings: Settings, directory: Path, started: float) -> None:
    if "log_level" not in settings.model_fields_set:
        configure_logging("warning")  # the welcome is what a newcomer should read
    password = secrets.token_urlsafe(12)
    own = Settings.model_construct(
        host=settings.host,
        port=settings.port,
        log_level=settings.log_level,
        data_dir=directory / "data",
        admin_email=ADMIN_EMAIL,
        admin_password=SecretStr(password),
    )
    async with simulated_providers() as urls:

        async def fill(application: Application) -> None:
            seeded = await seed_demo(application.control, urls, now=datetime.now(UTC))
            welcome = _welcome(own, password, seeded.api_key, started)
            application.control.background.start(welcome, name="demo_welcome")

        await serve_application(own, demo=True, on_started=fill)


def _stop_on_sigterm() -> None:
    """Until the server listens to signals itself: a stop during the filling must end it in order, too."""
    task = asyncio.current_task()
    if task is not None and sys.platform != "win32":
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)


@contextlib.asynccontextmanager
async def simulated_providers() -> AsyncIterator[dict[str, str]]:
    """A simulator for each provider of the demo, with its own pace; yields their origins by type."""
    async with contextlib.AsyncExitStack() as stack:
        urls: dict[str, str] = {}
        for number, provider in enumerate(PROVIDERS):
            config = SimulatorConfig(
                seed=number,
                answer_tokens=120,
                latency_seconds=provider.latency_seconds,
                first_chunk_seconds=provider.first_chunk_seconds,
                tokens_per_second=provider.tokens_per_second,
                jitter=0.3,
                valid_keys=None
                if provider.api_key is None
                else (provider.api_key, *_own_keys(provider.type)),
                keep_requests=50,
                retiring={RETIRES_SOON: (datetime.now(UTC) + timedelta(days=21)).date().isoformat()},
            )
            urls[provider.type] = (await stack.enter_async_context(await simulate(config))).url
        yield urls


def _own_keys(provider_type: str) -> list[str]:
    """The people's own keys that a simulated provider takes beside the platform's."""
    return [
        key.api_key for person in PEOPLE for key in person.own_keys if key.type == provider_type and key.good
    ]


async def _welcome(settings: Settings, password: str, api_key: str, started: float) -> None:
    """Say how to get in, as soon as somebody would be let in."""
    await _listening(settings)
    url, seconds = public_url(settings), time.perf_counter() - started
    typer.echo(
        f"""
  Ops-Center demo, ready in {seconds:.1f} s. Everything in it is made up, and gone when you stop it (Ctrl-C).

    Console    {url}/admin
    Email      {ADMIN_EMAIL}
    Password   {password}

    curl {url}/v1/chat/completions \\
      -H "Authorization: Bearer {api_key}" -H "Content-Type: application/json" \\
      -d '{{"model": "auto", "messages": [{{"role": "user", "content": "Hello"}}]}}'
"""
    )


async def _listening(settings: Settings) -> None:
    while True:
        try:
            _, writer = await asyncio.open_connection(settings.host, settings.port)
        except OSError:
            await asyncio.sleep(0.05)
        else:
            writer.close()
            return
