"""Whether LiteLLM's SDK is there, found without importing it, which would take seconds."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec

HOW_TO_GET = "Run pip install 'ops-center[litellm]' in the server's environment and start the server again."
# These releases carried a credential stealer (https://docs.litellm.ai/blog/security-update-march-2026, 2026-11).
STOLEN = frozenset({"1.82.7", "1.82.8"})


def missing() -> str | None:
    """Why it cannot be used, as a sentence; None when it can."""
    try:
        found = version("litellm") if find_spec("litellm") is not None else None
    except PackageNotFoundError:
        found = None
    if found is None:
        return "LiteLLM's SDK is not installed"
    if found in STOLEN:
        return f"LiteLLM {found} carried a credential stealer and is never run"
    return None
