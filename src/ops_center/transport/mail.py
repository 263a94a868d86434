"""One e-mail to one SMTP server. Connects to checked addresses only, and keeps neither connections nor mail.

Which mail goes where and when, and what is tried again, is the caller's to decide.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from email.message import EmailMessage
from typing import Literal

import aiosmtplib
import msgspec

from ops_center.errors import AddressRefused, ProviderUnreachable
from ops_center.transport.addresses import AddressBook

MailTls = Literal["starttls", "tls", "none"]


class MailServer(msgspec.Struct, frozen=True, kw_only=True):
    """Where mail is handed in. `tls`: from the first byte, by STARTTLS (RFC 3207), or not at all."""

    host: str
    port: int
    tls: MailTls
    user: str = ""
    password: str | None = None
    allow_private_network: bool = False


class MailNotSent(Exception):
    """Why, in one sentence without any secret. `final`: the server will never take this mail."""

    def __init__(self, message: str, *, final: bool = False) -> None:
        super().__init__(message)
        self.message = message
        self.final = final


class Mailer:
    """Sends mail; `tls_context` is a seam for tests with a certificate of their own."""

    def __init__(
        self, address_book: AddressBook | None = None, tls_context: ssl.SSLContext | None = None
    ) -> None:
        self._addresses = address_book or AddressBook()
        self._tls_context = tls_context

    async def send(self, server: MailServer, message: EmailMessage, *, timeout_seconds: float = 20.0) -> None:
        """Hand `message` in, all within `timeout_seconds`. Raises MailNotSent."""
        where = f"{server.host}:{server.port}"
        try:
            async with asyncio.timeout(timeout_seconds):
                await self._send(server, message, timeout_seconds)
        except (TimeoutError, aiosmtplib.SMTPTimeoutError):
            raise MailNotSent(f"{where} did not answer in time.") from None
        except AddressRefused as error:
            raise MailNotSent(f"{where} may not be called. {error.hint or ''}".strip()) from None
        except ProviderUnreachable:
            raise MailNotSent(f"The host {server.host} could not be found.") from None
        except ssl.SSLCertVerificationError as error:
            raise MailNotSent(
                f"The TLS certificate of {where} could not be verified: {error.verify_message}."
            ) from None
        except ssl.SSLError:
            raise MailNotSent(f"{where} does not speak TLS as set.") from None
        except aiosmtplib.SMTPAuthenticationError as error:
            raise MailNotSent(f"{where} refused the user name or password ({error.code}).") from None
        except aiosmtplib.SMTPRecipientsRefused as error:
            refused = error.recipients[0]
            raise MailNotSent(
                f"{where} refused the recipient ({refused.code}).", final=refused.code >= 500
            ) from None
        except aiosmtplib.SMTPSenderRefused as error:
            raise MailNotSent(f"{where} refused the sender ({error.code}).") from None
        except aiosmtplib.SMTPResponseException as error:
            raise MailNotSent(f"{where} refused the mail ({error.code}).") from None
        except (aiosmtplib.SMTPException, OSError) as error:
            if isinstance(error.__cause__, ssl.SSLError):
                raise MailNotSent(f"The TLS certificate of {where} could not be verified.") from None
            raise MailNotSent(f"{where} could not be reached.") from None

    async def _send(self, server: MailServer, message: EmailMessage, seconds: float) -> None:
        connected = await self._connect(server)
        # The name is what the certificate must be for; the socket is to an address that was checked.
        client = aiosmtplib.SMTP(
            hostname=server.host,
            sock=connected,
            use_tls=server.tls == "tls",
            start_tls=False,
            tls_context=self._tls_context,
            timeout=seconds,
        )
        try:
            await client.connect()
            if server.tls == "starttls":
                await client.ehlo()
                if not client.supports_extension("starttls"):
                    raise MailNotSent(f"{server.host}:{server.port} does not offer STARTTLS.")
                await client.starttls()
            if server.user or server.password:
                await client.ehlo()
                if not client.supports_extension("auth"):
                    raise MailNotSent(f"{server.host}:{server.port} takes no login: leave the user blank.")
                await client.login(server.user, server.password or "")
            await client.send_message(message)
            await client.quit()
        finally:
            client.close()  # and with it the socket
            await asyncio.sleep(0)  # let the transport see its end

    async def _connect(self, server: MailServer) -> socket.socket:
        addresses = await self._addresses.allowed(
            server.host, server.port, allow_private_network=server.allow_private_network
        )
        loop = asyncio.get_running_loop()
        failure: OSError | None = None
        for address in addresses[:3]:
            family = socket.AF_INET6 if ":" in address else socket.AF_INET
            one = socket.socket(family, socket.SOCK_STREAM)
            one.setblocking(False)
            try:
                await loop.sock_connect(one, (address, server.port))
            except OSError as error:
                one.close()
                failure = error
            except BaseException:
                one.close()
                raise
            else:
                return one
        raise failure or OSError("no address")
