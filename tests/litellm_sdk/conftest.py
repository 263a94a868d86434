"""A live server in an environment with the extra `litellm`; `make test-litellm` runs what is in here."""

from __future__ import annotations

from importlib.util import find_spec

if find_spec("litellm") is None:
    collect_ignore_glob = ["test_*.py"]
