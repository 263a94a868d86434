"""transport/mail: mail handed to a real SMTP server, and one clear sentence for every way it can fail."""

from __future__ import annotations

import asyncio
from email.message import EmailMessage
from pathlib import Path
from typing import Any, Literal

import pytest

from mail_server import PASSWORD, USER, certificates, mailbox
from ops_center.transport.mail import Mailer, MailNotSent, MailServer

pytestmark = pytest.mark.anyio


def message(to: str = "ada@example.com") -> EmailMessage:
    made = EmailMessage()
    made["From"], made["To"], made["Subject"] = "ops@example.com", to, "Größe: 80 %"
    made.set_content("Two lines,\nand an ü.\n")
    return made


def at(port: int, **changes: Any) -> MailServer:
    values = {"host": "localhost", "port": port, "tls": "none", "allow_private_network": True} | changes
    return MailServer(**values)


async def refusal(mailer: Mailer, server: MailServer, to: str = "ada@example.com") -> MailNotSent:
    with pytest.raises(MailNotSent) as caught:
        await mailer.send(server, message(to), timeout_seconds=5)
    assert PASSWORD not in caught.value.message and "canary" not in caught.value.message
    return caught.value


@pytest.mark.parametrize("tls", ["starttls", "tls"])
async def test_mail_goes_out_over_tls_with_a_login(tmp_path: Path, tls: Literal["starttls", "tls"]) -> None:
    theirs, ours = certificates(tmp_path)
    async with mailbox(tls, theirs) as box:
        server = at(box.port, tls=tls, user=USER, password=PASSWORD)
        await Mailer(tls_context=ours).send(server, message())
        [got] = box.messages
        assert (got["subject"], got.get_content().replace("\r\n", "\n")) == (
            "Größe: 80 %",
            "Two lines,\nand an ü.\n",
        )

        wrong = await refusal(Mailer(tls_context=ours), at(box.port, tls=tls, user=USER, password="no"))
        assert "refused the user name or password (535)" in wrong.message and not wrong.final
        strange = await refusal(Mailer(), server)  # a certificate of nobody we know
        assert "certificate" in strange.message
        assert len(box.messages) == 1


async def test_a_certificate_for_another_name_is_refused(tmp_path: Path) -> None:
    theirs, ours = certificates(tmp_path, "mail.example.com")
    async with mailbox("tls", theirs) as box:
        found = await refusal(Mailer(tls_context=ours), at(box.port, tls="tls"))
    assert "certificate" in found.message


async def test_a_server_without_starttls_gets_no_mail_in_clear() -> None:
    async with mailbox() as box:
        found = await refusal(Mailer(), at(box.port, tls="starttls"))
        assert "does not offer STARTTLS" in found.message
        assert box.messages == []


async def test_a_recipient_that_is_refused_is_refused_for_good() -> None:
    async with mailbox() as box:
        box.refused.add("gone@example.com")
        found = await refusal(Mailer(), at(box.port), "gone@example.com")
        assert (found.final, "refused the recipient (550)" in found.message) == (True, True)
        box.busy = True
        later = await refusal(Mailer(), at(box.port))
        assert (later.final, "(451)" in later.message) == (False, True)


async def test_addresses_are_checked_before_anything_is_sent() -> None:
    async with mailbox() as box:
        private = await refusal(Mailer(), at(box.port, allow_private_network=False))
        assert "may not be called" in private.message
        assert "may not be called" in (await refusal(Mailer(), at(25, host="169.254.169.254"))).message
        assert box.messages == []


async def test_a_server_that_is_away_or_silent_says_so() -> None:
    async with mailbox() as box:
        closed = box.port
    assert "could not be reached" in (await refusal(Mailer(), at(closed))).message
    writers: list[asyncio.StreamWriter] = []
    silent = await asyncio.start_server(lambda reader, writer: writers.append(writer), "127.0.0.1", 0)
    port = silent.sockets[0].getsockname()[1]
    with pytest.raises(MailNotSent, match="did not answer in time"):
        await Mailer().send(at(port), message(), timeout_seconds=0.2)
    for writer in writers:
        writer.close()
    silent.close()
    await asyncio.sleep(0.01)
