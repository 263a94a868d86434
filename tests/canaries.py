"""Known secrets of every kind, put into every field that takes one, and the places where none may turn up."""

from __future__ import annotations

import base64
import gzip
import json
import secrets
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

import httpx

from live import ADMIN_PASSWORD, LiveServer, SimulatorThread
from ops_center.control.second_factor import codes
from test_google_tokens import key_file

USER, USER_PASSWORD = "canary@example.com", "canary-password-of-the-user-1"


class EchoProvider:
    """A provider that says everything it was told: keys and prompts in its errors, as careless ones do.

    Beside that it takes traces and metrics as an OpenTelemetry collector does, and keeps them in `traces`.
    """

    def __init__(self) -> None:
        traces = self.traces = list[bytes]()

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._say(200, {"object": "list", "data": [{"id": f"echo-{n}"} for n in (400, 401, 500)]})

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                if "json" not in self.headers["content-type"]:
                    packed = self.headers["content-encoding"] == "gzip"
                    traces.append(gzip.decompress(body) if packed else body)
                    return self._say(200, {})
                asked = json.loads(body)
                told = f"Incorrect API key provided: {self.headers['authorization']}; you said {asked['messages']}"
                status = int(asked["model"].removeprefix("echo-"))
                return self._say(
                    status, {"error": {"message": told, "type": "bad", "code": None, "param": None}}
                )

            def _say(self, status: int, body: Any) -> None:
                data = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/v1"

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@dataclass
class Canaries:
    """`secrets` by what each is. `answers`: what the server said meanwhile, to whoever may not know them."""

    secrets: dict[str, str] = field(default_factory=dict)
    answers: list[str] = field(default_factory=list)

    def new(self, what: str, prefix: str = "") -> str:
        return self.keep(what, f"{prefix}canary{secrets.token_hex(12)}")

    def keep(self, what: str, secret: str) -> str:
        assert len(secret) >= 8 and what not in self.secrets
        self.secrets[what] = secret
        return secret

    def found_in(self, data: bytes) -> set[str]:
        """Which of them stand in `data`: in clear, as JSON writes them, in base64 or in hexadecimal."""
        found = set()
        for what, secret in self.secrets.items():
            raw = secret.encode()
            forms = {raw, json.dumps(secret)[1:-1].encode(), raw.hex().encode()}
            # wherever in a longer base64 text it begins: without the letters that its neighbours share
            forms |= {base64.b64encode(b"\0" * n + raw)[4 if n else 0 : -4] for n in range(3)}
            if any(form in data for form in forms):
                found.add(what)
        return found


def plant(server: LiveServer, simulator: SimulatorThread, echo: EchoProvider) -> Canaries:
    """Put one of each into a running server, use it once the right way, and once the wrong way."""
    canaries = Canaries()
    admin = server.admin
    canaries.keep("the admin's password", ADMIN_PASSWORD)
    canaries.keep("the admin's session", str(admin.cookies.get("ops_center_session")))
    private = {"allow_private_network": True}

    # providers: every kind of key that a type takes, and a second one in its place
    sim = simulator.simulator
    plain = {"openai": sim.openai_url, "anthropic": sim.anthropic_url, "azure": sim.azure_url}
    providers = {}
    for type, url in plain.items():
        key = canaries.new(f"{type} key", "sk-ant-" if type == "anthropic" else "sk-")
        body = {"type": type, "api_key": key, "base_url": url} | private
        providers[type] = done(admin.post("/llm/providers", json=body))
    iam = canaries.new("AWS secret access key")
    body = {"type": "bedrock", "api_key": f"AKIAIOSFODNN7EXAMPLE:{iam}", "options": {"region": "eu-west-1"}}
    done(admin.post("/llm/providers", json=body | private | {"base_url": sim.bedrock_url}))
    file = key_file()
    lines = json.loads(file)["private_key"].splitlines()
    canaries.keep("service-account private key", lines[5])
    body = {"type": "vertex", "api_key": file, "base_url": sim.vertex_url, **private}
    done(admin.post("/llm/providers", json=body | {"options": {"location": "europe-west1"}}))
    key = canaries.new("echoed key", "sk-")
    done(
        admin.post(
            "/llm/providers",
            json={"type": "custom", "name": "Echo", "api_key": key, "base_url": echo.url, **private},
        )
    )
    replaced = canaries.new("replaced openai key", "sk-")
    done(admin.patch(f"/llm/providers/{providers['openai']['id']}", json={"api_key": replaced}))
    for field_name in ("name", "base_url", "priority", "no_such_field"):  # a key pasted into the wrong field
        wrong = {
            "type": "openai",
            "api_key": replaced,
            field_name: canaries.new(f"key as {field_name}", "sk-\n"),
        }
        canaries.answers.append(refused(admin.post("/llm/providers", json=wrong)))

    # settings
    section = {
        "notifications": {
            "webhook_enabled": True,
            "webhook_url": "http://127.0.0.1:9/hook",
            "webhook_secret": "whsec_" + base64.b64encode(canaries.new("webhook secret").encode()).decode(),
            "email_enabled": True,
            "smtp_host": "127.0.0.1",
            "smtp_port": 9,
            "smtp_tls": "none",
            "smtp_user": "ops",
            "smtp_password": canaries.new("SMTP password"),
            "email_from": "ops@example.com",
            **private,
        },
        "oidc": {"client_id": "ops-center", "client_secret": canaries.new("OIDC client secret")},
    }
    canaries.keep("webhook secret as sent", section["notifications"]["webhook_secret"].removeprefix("whsec_"))  # type: ignore[union-attr]
    canaries.answers.append(admin.patch("/settings", json=section).text)
    for channel in ("webhook", "email"):
        canaries.answers.append(admin.post("/notifications/test", json={"channel": channel}).text)

    # people
    user = done(admin.post("/users", json={"email": USER, "password": USER_PASSWORD, "role": "user"}))
    first = canaries.keep("the user's first password", USER_PASSWORD)
    invited = done(admin.post("/invitations", json={"email": "guest@example.com"}))
    canaries.keep("invitation token", invited["link"].partition("token=")[2])
    with server.client() as client:
        guess = canaries.new("a wrong password")
        canaries.answers.append(refused(client.post("/auth/login", json={"email": USER, "password": guess})))
        done(client.post("/auth/login", json={"email": USER, "password": first}))
        own = canaries.new("own key", "sk-")
        done(client.put("/me/provider-keys/openai", json={"api_key": own}))
        made = done(client.post("/me/api-keys", json={"name": "mine"}))
        api_key = canaries.keep("API key", made["secret"])
        rotated = done(client.post(f"/me/api-keys/{made['id']}/rotate", json={"grace_seconds": 600}))
        canaries.keep("rotated API key", rotated["secret"])
        begun = done(client.post("/me/second-factor"))
        totp = canaries.keep("TOTP secret", begun["secret"])
        code = codes.code_at(totp, codes.step_at(datetime.now(UTC)))
        recovery = done(client.post("/me/second-factor/confirm", json={"code": code}))["recovery_codes"]
        for number, each in enumerate(recovery):
            canaries.keep(f"recovery code {number}", each)
        canaries.keep("the user's session", str(client.cookies.get("ops_center_session")))
    team = done(admin.post("/teams", json={"name": "Canaries", "member_ids": [user["id"]]}))
    service = done(admin.post(f"/teams/{team['id']}/api-keys", json={"name": "service"}))
    canaries.keep("service key", service["secret"])
    admin_key = done(admin.post("/me/api-keys", json={"name": "control", "scope": "admin"}))
    canaries.keep("admin key", admin_key["secret"])

    # traffic, some of it refused by providers that repeat what they were told, and by us
    prompt = canaries.new("prompt")
    for secret in (api_key, service["secret"], canaries.new("unknown API key", "sk-oc-")):
        for model in ("gpt-4o-mini", "claude-haiku-4-5", "echo-500", "echo-400", "echo-401", "no-such-model"):
            answer = httpx.post(
                f"{server.openai_url}/chat/completions",
                json={"model": model, "messages": [{"role": "user", "content": prompt}]},
                headers={"authorization": f"Bearer {secret}"},
                timeout=20,
            )
            # The caller knows the prompt already; whoever reads the gateway's own records must not.
            canaries.answers.append(answer.text.replace(prompt, "") + repr(answer.headers.multi_items()))
    return canaries


def done(answer: httpx.Response) -> Any:
    assert answer.is_success, answer.text
    return answer.json()


def refused(answer: httpx.Response) -> str:
    assert 400 <= answer.status_code < 500, answer.text
    return answer.text
