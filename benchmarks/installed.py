"""LiteLLM and Portkey, found where they are installed and started like the gateway: pinned, before our upstream.

Each as it comes, with one worker: LiteLLM checks its master key, Portkey's open-source gateway asks for none;
neither is given a database. Nothing of this process's environment reaches them but its path.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

import msgspec

from benchmarks.bodies import OPENAI_MODEL
from benchmarks.others import Other
from benchmarks.processes import Child, free_port, listens
from benchmarks.scene import Scene
from ops_center.litellm_sdk.install import STOLEN

_START_SECONDS = 90.0  # LiteLLM imports for long
_KEY = "sk-benchmark"


class Found(msgspec.Struct, frozen=True):
    """A gateway that is installed."""

    program: str
    version: str


class Kind(Protocol):
    """How one gateway is found and started."""

    name: str
    package: str  # what to install

    def find(self) -> Found | None: ...

    def command(self, program: str, port: int, upstream: str, folder: Path) -> Sequence[str]: ...

    def environment(self) -> Mapping[str, str]: ...

    def headers(self, upstream: str) -> Sequence[tuple[str, str]]: ...


class LiteLLM:
    """The proxy of the package `litellm[proxy]`."""

    name = "LiteLLM"
    package = "litellm[proxy]"

    def find(self) -> Found | None:
        """On the path or beside this Python; without the proxy's own packages the SDK alone does not count."""
        program = shutil.which("litellm") or shutil.which("litellm", path=str(Path(sys.executable).parent))
        if program is None:
            return None
        with open(program, "rb") as script:
            python = script.readline().decode(errors="replace").removeprefix("#!").split()
        ask = "from importlib.metadata import version; version('litellm-proxy-extras'); print(version('litellm'))"
        try:
            said = subprocess.run([*python, "-c", ask], capture_output=True, text=True, check=False)
        except OSError:
            return None
        version = said.stdout.strip()
        return Found(program, version) if version and version not in STOLEN else None

    def command(self, program: str, port: int, upstream: str, folder: Path) -> Sequence[str]:
        model = {"model": f"openai/{OPENAI_MODEL}", "api_base": upstream, "api_key": _KEY}
        config = {
            "model_list": [{"model_name": OPENAI_MODEL, "litellm_params": model}],
            "general_settings": {"master_key": _KEY},
        }
        path = folder / "litellm.yaml"
        path.write_text(json.dumps(config))  # JSON is YAML
        where = ["--host", "127.0.0.1", "--port", str(port)]
        return [program, "--config", str(path), *where, "--num_workers", "1", "--telemetry", "False"]

    def environment(self) -> Mapping[str, str]:
        return {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_LOG": "ERROR"}

    def headers(self, upstream: str) -> Sequence[tuple[str, str]]:
        return ()


class Portkey:
    """The open-source gateway of the npm package `@portkey-ai/gateway`, whose program is called `gateway`."""

    name = "Portkey"
    package = "@portkey-ai/gateway"

    def find(self) -> Found | None:
        """On the path; other programs of that name are told by where they really are."""
        program = shutil.which("gateway")
        if program is None:
            return None
        for folder in Path(program).resolve().parents:
            if folder.parts[-2:] == tuple(self.package.split("/")):
                return Found(program, json.loads((folder / "package.json").read_text())["version"])
        return None

    def command(self, program: str, port: int, upstream: str, folder: Path) -> Sequence[str]:
        return [program, f"--port={port}", "--headless"]

    def environment(self) -> Mapping[str, str]:
        return {"NODE_ENV": "production"}

    def headers(self, upstream: str) -> Sequence[tuple[str, str]]:
        return (("x-portkey-provider", "openai"), ("x-portkey-custom-host", upstream))


KINDS: tuple[Kind, ...] = (LiteLLM(), Portkey())


class Installed(Child):
    """One of them, running. `other`: how to ask it."""

    def __init__(self, kind: Kind, found: Found, scene: Scene) -> None:
        """Raises BenchmarkError when it does not start."""
        folder = scene.folder / kind.name
        folder.mkdir()
        port, upstream = free_port(), f"{scene.simulator.url}/v1"
        super().__init__(
            kind.command(found.program, port, upstream, folder),
            name=kind.name,
            cores=scene.cores.measured,
            log=folder / "log",
            env={"PATH": os.environ.get("PATH", ""), "HOME": str(folder), **kind.environment()},
        )
        self.other = Other(
            name=f"{kind.name} {found.version}",
            port=port,
            key=_KEY,
            pid=self.pid,
            headers=tuple(kind.headers(upstream)),
        )
        try:
            self.until(lambda: listens(port), "listening", _START_SECONDS)
        except BaseException:
            self.stop()
            raise
