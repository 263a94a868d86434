"""The settings of one installation, read from the environment (`OPS_CENTER_*`) and the command line.

Nothing here is secret-safe to print: `master_key` and `admin_password` are `SecretStr`.
A wrong setting stops the start with one line that names it (see `cli.py`).
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Every knob with its default; environment variables carry the prefix `OPS_CENTER_`."""

    model_config = SettingsConfigDict(env_prefix="OPS_CENTER_", extra="ignore", hide_input_in_errors=True)

    host: str = "127.0.0.1"
    port: int = Field(8084, ge=0, le=65535)
    workers: int = Field(1, ge=1, le=64)  # processes that serve /v1
    data_dir: Path = Path("data")
    database_url: str | None = None  # None: SQLite in data_dir
    valkey_url: str | None = None
    valkey_failure: Literal["open", "closed"] = "open"  # while it is away: count per process, or refuse
    public_url: str | None = None  # None: where it listens
    master_key: SecretStr | None = None  # None: a 0600 file in data_dir
    admin_email: str | None = None
    admin_password: SecretStr | None = None
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    otlp_endpoint: str | None = None  # of an OpenTelemetry collector; None: no traces are sent

    # seconds to wait for: a connection, a whole answer, a stream's first chunk, the next chunk
    connect_timeout_seconds: float = Field(10.0, gt=0)
    answer_timeout_seconds: float = Field(300.0, gt=0)
    first_chunk_timeout_seconds: float = Field(120.0, gt=0)
    chunk_timeout_seconds: float = Field(120.0, gt=0)

    @field_validator("log_level", mode="before")
    @classmethod
    def _lower(cls, value: object) -> object:
        return value.lower() if isinstance(value, str) else value

    @field_validator("public_url")
    @classmethod
    def _web_address(cls, value: str | None) -> str | None:
        if not value:
            return None
        parts = urlsplit(value)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
            raise ValueError("must be an address like https://ops.example.com")
        if parts.path.strip("/") or parts.username is not None:
            raise ValueError("must be an address without a path or a user")
        return f"{parts.scheme}://{parts.netloc}"

    @field_validator("otlp_endpoint")
    @classmethod
    def _collector(cls, value: str | None) -> str | None:
        if not value:
            return None
        parts = urlsplit(value)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
            raise ValueError("must be an address like http://collector:4318")
        if parts.username is not None:
            raise ValueError("must hold no user; send OTEL_EXPORTER_OTLP_HEADERS instead")
        return value.rstrip("/")

    @field_validator("valkey_url")
    @classmethod
    def _known_server(cls, value: str | None) -> str | None:
        if value and not value.startswith(("valkey:", "valkeys:", "redis:", "rediss:", "unix:")):
            raise ValueError("must start with valkey:, redis: or rediss:")
        return value or None

    @field_validator("database_url")
    @classmethod
    def _known_database(cls, value: str | None) -> str | None:
        if value and not value.startswith(
            ("sqlite:", "sqlite+aiosqlite:", "postgresql:", "postgresql+asyncpg:", "postgres:")
        ):
            raise ValueError("must start with sqlite: or postgresql:")
        return value or None

    @property
    def resolved_database_url(self) -> str:
        """The SQLAlchemy URL with its async driver named."""
        url = self.database_url
        if url is None:
            return f"sqlite+aiosqlite:///{(self.data_dir / 'ops-center.db').absolute()}"
        scheme, rest = url.split(":", 1)
        driver = "sqlite+aiosqlite" if scheme.startswith("sqlite") else "postgresql+asyncpg"
        return f"{driver}:{rest}"
