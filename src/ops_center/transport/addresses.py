"""Which network addresses we connect to. Pure rules and one cached look-up; opens no connection.

Every outbound path (traffic, test, discovery) resolves a name once, checks the addresses that came back
and connects to one of those very addresses, so a name that changes between check and connect gains nothing.
"""

from __future__ import annotations

import asyncio
import socket
from collections import OrderedDict
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Literal

from ops_center.errors import AddressRefused, ProviderUnreachable

AddressClass = Literal["public", "private", "refused"]

# IANA special-purpose registries (https://www.iana.org/assignments/iana-ipv4-special-registry, 2026-11).
_REFUSED_4 = tuple(
    IPv4Network(n)
    for n in (
        "0.0.0.0/8",
        "169.254.0.0/16",  # link-local, and most clouds' metadata service
        "100.100.100.200/32",  # Alibaba Cloud's metadata service, inside CGNAT space
        "168.63.129.16/32",  # Azure's wire server
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.88.99.0/24",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
    )
)
_PRIVATE_4 = tuple(
    IPv4Network(n) for n in ("10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")
)
_REFUSED_6 = tuple(
    IPv6Network(n)
    for n in (
        "::/128",
        "100::/64",
        "2001::/23",  # Teredo, ORCHID and other protocol assignments
        "2001:db8::/32",
        "3fff::/20",
        "5f00::/16",
        "64:ff9b:1::/48",
        "fd00:ec2::254/128",  # AWS metadata over IPv6
        "fd20:ce::254/128",  # Google Cloud metadata over IPv6
        "fe80::/10",
        "fec0::/10",
        "ff00::/8",
    )
)
_PRIVATE_6 = (IPv6Network("::1/128"), IPv6Network("fc00::/7"))
_NAT64 = IPv6Network("64:ff9b::/96")
_COMPATIBLE = IPv6Network("::/96")


def classify_address(text: str) -> AddressClass:
    """`public`, `private` (only with the admin's tick) or `refused` (never); anything unparsable is refused.

    IPv6 forms that carry an IPv4 address (mapped, compatible, 6to4, NAT64) are judged by what they carry.
    """
    try:
        address = ip_address(text.split("%", 1)[0])
    except ValueError:
        return "refused"
    if isinstance(address, IPv6Address):
        embedded = _embedded_ipv4(address)
        if embedded is None:
            if any(address in network for network in _REFUSED_6):
                return "refused"
            if any(address in network for network in _PRIVATE_6):
                return "private"
            # Global unicast is 2000::/3; what IANA has not handed out is nobody's provider.
            return "public" if address in IPv6Network("2000::/3") else "refused"
        address = embedded
    if any(address in network for network in _REFUSED_4):
        return "refused"
    return "private" if any(address in network for network in _PRIVATE_4) else "public"


def _embedded_ipv4(address: IPv6Address) -> IPv4Address | None:
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.sixtofour is not None:
        return address.sixtofour
    if address in _NAT64 or (address in _COMPATIBLE and int(address) > 1):
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return None


class AddressBook:
    """Resolves host names, keeps answers for `ttl_seconds`, and hands out allowed addresses only."""

    def __init__(
        self, *, ttl_seconds: float = 30.0, max_names: int = 1000, timeout_seconds: float = 5.0
    ) -> None:
        self._ttl_seconds = ttl_seconds
        self._max_names = max_names
        self._timeout_seconds = timeout_seconds
        self._answers: OrderedDict[tuple[str, int], tuple[float, Sequence[str]]] = OrderedDict()

    async def allowed(self, host: str, port: int, *, allow_private_network: bool) -> Sequence[str]:
        """The addresses of `host` that may be connected to, best first.

        Raises AddressRefused when it has addresses but none is allowed, ProviderUnreachable when it has none.
        """
        found = await self._resolve(host, port)
        allowed = [
            address
            for address in found
            if (kind := classify_address(address)) == "public"
            or (kind == "private" and allow_private_network)
        ]
        if allowed:
            return allowed
        private = any(classify_address(address) == "private" for address in found)
        raise AddressRefused(
            "Address not allowed",
            detail=f"{host} resolves to {', '.join(found)}",
            hint="Tick “Allow private network address” if this server really is in your own network."
            if private
            else "Link-local, metadata and reserved addresses are never called.",
        )

    async def _resolve(self, host: str, port: int) -> Sequence[str]:
        key = (host, port)
        loop = asyncio.get_running_loop()
        now = loop.time()
        known = self._answers.get(key)
        if known is not None and known[0] > now:
            return known[1]
        try:
            async with asyncio.timeout(self._timeout_seconds):
                answers = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError, TimeoutError) as error:
            raise ProviderUnreachable(
                "Address unreachable", detail=f"{host} could not be resolved: {type(error).__name__}"
            ) from None
        found = tuple(dict.fromkeys(str(answer[4][0]) for answer in answers))
        self._answers[key] = (now + self._ttl_seconds, found)
        if len(self._answers) > self._max_names:
            self._answers.popitem(last=False)
        return found
