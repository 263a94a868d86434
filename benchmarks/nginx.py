"""nginx as the yardstick: `proxy_pass` to the same upstream, one worker, nothing else switched on.

Two ports: one as nginx comes (answers buffered), one with buffering off, which is what streams need.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Collection
from pathlib import Path
from pwd import getpwuid

from benchmarks.processes import Child, free_port, listens

_CONFIG = """\
{user}
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/error.log error;
events {{ worker_connections 4096; }}
http {{
  access_log off;
  keepalive_requests 1000000000;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  upstream provider {{
    server 127.0.0.1:{upstream};
    keepalive 64;
    keepalive_requests 1000000000;
  }}
  proxy_http_version 1.1;
  proxy_set_header Connection "";
  server {{ listen 127.0.0.1:{plain} backlog=2048; location / {{ proxy_pass http://provider; }} }}
  server {{
    listen 127.0.0.1:{unbuffered} backlog=2048;
    location / {{ proxy_pass http://provider; proxy_buffering off; }}
  }}
}}
"""


def program() -> str | None:
    """Where nginx is; None when it is not installed. Distributions keep it off an ordinary user's path."""
    return shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/sbin")


def version() -> str | None:
    found = program()
    if found is None:
        return None
    said = subprocess.run([found, "-v"], capture_output=True, text=True, check=False).stderr
    match = re.search(r"nginx/(\S+)", said)
    return match.group(1) if match else None


class Nginx(Child):
    """`port` buffers answers, `stream_port` does not."""

    def __init__(self, folder: Path, *, upstream: int, cores: Collection[int]) -> None:
        self.port = free_port()
        self.stream_port = free_port()
        # Started by root, workers would otherwise be another user, who may not enter the folder.
        user = f"user {getpwuid(0).pw_name};" if os.geteuid() == 0 else ""
        config = folder / "nginx.conf"
        config.write_text(
            _CONFIG.format(
                user=user, folder=folder, upstream=upstream, plain=self.port, unbuffered=self.stream_port
            )
        )
        found = program()
        assert found is not None, "ask program() first"
        super().__init__(
            [found, "-p", str(folder), "-c", str(config), "-e", str(folder / "error.log")],
            name="nginx",
            cores=cores,
            log=folder / "nginx.log",
        )
        self.until(lambda: listens(self.port) and listens(self.stream_port), "listening")
