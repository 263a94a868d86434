"""`ops-center check`: what a start would need, looked at without changing anything."""

from __future__ import annotations

from sqlalchemy import select

from ops_center.errors import InternalError
from ops_center.settings import Settings
from ops_center.storage.database import Database
from ops_center.storage.secrets import load_master_key
from ops_center.storage.tables import credentials, providers


async def check_installation(settings: Settings) -> list[str]:
    """One line for each thing that is well. Raises an OpsCenterError for the first that is not."""
    lines = ["settings: ok"]
    if settings.database_url is None and not (settings.data_dir / "ops-center.db").exists():
        return [*lines, f"database: none yet in {settings.data_dir}; the first start makes it"]
    database = await Database.open(settings.resolved_database_url)
    try:
        async with database.read() as connection:
            configured = len((await connection.execute(select(providers.c.id))).all())
            sealed = (await connection.execute(select(credentials.c.id, credentials.c.secret))).all()
    finally:
        await database.close()
    lines.append(f"database: ok ({database.dialect}), {configured} providers")
    if sealed and settings.master_key is None and not (settings.data_dir / "master.key").exists():
        raise InternalError(
            f"There is no master key in {settings.data_dir}, and the database holds sealed secrets."
        )
    if sealed:
        key = settings.master_key.get_secret_value() if settings.master_key else None
        secrets = load_master_key(key, settings.data_dir)
        for row in sealed:
            secrets.open(row.secret, f"credential:{row.id}")
        lines.append(f"master key: opens all {len(sealed)} secrets")
    return lines
