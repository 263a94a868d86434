from __future__ import annotations

import pytest

from ops_center.errors import AddressRefused, ProviderUnreachable
from ops_center.transport.addresses import AddressBook, classify_address

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("address", ["1.1.1.1", "104.18.6.192", "2606:4700::6812:6c0", "64:ff9b::101:101"])
def test_public_addresses_are_allowed(address: str) -> None:
    assert classify_address(address) == "public"


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "127.8.8.8",
        "10.0.0.5",
        "172.16.0.1",
        "172.31.255.255",
        "192.168.1.1",
        "100.64.0.1",
        "::1",
        "fd12::1",
        "::ffff:10.0.0.1",
        "64:ff9b::a00:1",
        "2002:a00:1::",
        "::127.0.0.1",
    ],
)
def test_private_addresses_need_the_admins_tick(address: str) -> None:
    assert classify_address(address) == "private"


@pytest.mark.parametrize(
    "address",
    [
        "169.254.169.254",
        "::ffff:169.254.169.254",
        "64:ff9b::a9fe:a9fe",
        "2002:a9fe:a9fe::",
        "fd00:ec2::254",
        "100.100.100.200",
        "168.63.129.16",
        "0.0.0.0",
        "0.1.2.3",
        "224.0.0.1",
        "255.255.255.255",
        "240.0.0.1",
        "198.18.0.1",
        "192.0.2.1",
        "fe80::1",
        "fe80::1%eth0",
        "ff02::1",
        "fec0::1",
        "2001::1",
        "2001:db8::1",
        "64:ff9b:1::1",
        "::",
        "4000::1",
        "not an address",
        "",
    ],
)
def test_metadata_link_local_and_reserved_addresses_are_always_refused(address: str) -> None:
    assert classify_address(address) == "refused"


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "2130706433", "0x7f.1", "127.1", "::1"])
async def test_loopback_is_refused_however_it_is_spelt(host: str) -> None:
    book = AddressBook()
    with pytest.raises(AddressRefused) as caught:
        await book.allowed(host, 80, allow_private_network=False)
    assert "Allow private network address" in (caught.value.hint or "")


async def test_the_tick_allows_loopback_but_never_metadata() -> None:
    book = AddressBook()
    assert await book.allowed("127.0.0.1", 80, allow_private_network=True) == ["127.0.0.1"]
    with pytest.raises(AddressRefused):
        await book.allowed("169.254.169.254", 80, allow_private_network=True)


async def test_a_name_without_address_is_unreachable() -> None:
    with pytest.raises(ProviderUnreachable):
        await AddressBook(timeout_seconds=5).allowed(
            "does-not-exist.invalid", 443, allow_private_network=False
        )
