"""FORCERENEW and the NAK behind it: who is asked, what proves it, and that lease and block stay (GEN-12, RFC 3203, RFC 6704)."""

import random

import pytest

from voxpath.core.errors import LocalError
from voxpath.dhcp import options as code
from voxpath.dhcp.client import Acknowledged, DhcpClient, Refused
from voxpath.dhcp.event import DhcpRecalled
from voxpath.dhcp.forcerenew import counter_of, force_renew, nonce_for
from voxpath.dhcp.message import MessageType
from voxpath.dhcp.wire import decode
from voxpath.model.address import Mac

SECRET = b"a secret that outlives the process"
MAC = Mac.parse("02:00:00:00:0a:01")
NONCE = nonce_for(SECRET, MAC)
SERVER = bytes((10, 0, 0, 1))


@pytest.fixture
def recalled_site(make_site):
    return make_site(secret=SECRET)


def recall(site, phone) -> list[bytes]:
    before = len(site.sent)
    site.run(site.server.recall.ask(phone.mac, site.now))
    return [sent.payload for sent in site.sent[before:]]


def test_a_forcerenew_is_taken_once_and_only_from_whoever_knows_the_nonce() -> None:
    genuine = force_renew(MAC, SERVER, NONCE, 5)
    assert counter_of(genuine, MAC, NONCE) == 5
    assert counter_of(genuine, MAC, b"") is None
    assert counter_of(genuine, MAC, nonce_for(b"another", MAC)) is None
    assert counter_of(genuine, Mac.parse("02:00:00:00:0a:02"), NONCE) is None


def test_whatever_is_altered_on_the_way_is_not_taken() -> None:
    genuine = force_renew(MAC, SERVER, NONCE, 5)
    for at in range(len(genuine)):
        forged = bytearray(genuine)
        forged[at] ^= 1
        assert counter_of(bytes(forged), MAC, NONCE) is None, at
        assert counter_of(genuine[:at], MAC, NONCE) is None, at


def test_the_ack_gives_the_nonce_to_those_who_list_it_and_to_nobody_else(recalled_site, make_phone) -> None:
    phone = make_phone(recalled_site, 1)
    phone.boot()
    assert code.AUTHENTICATION in decode(recalled_site.sent[-1].payload).options
    assert code.AUTHENTICATION not in decode(recalled_site.sent[0].payload).options, "an OFFER gives none"
    message = decode(phone.client.discover())
    assert code.FORCERENEW_NONCE_CAPABLE in message.options
    options = {option: value for option, value in message.options.items() if option != code.FORCERENEW_NONCE_CAPABLE}
    assert recalled_site.server.recall.options(message._replace(options=options), phone.mac) == {}


def test_a_recalled_phone_is_asked_and_refused_once_and_gets_the_same_again(recalled_site, make_phone) -> None:
    site = recalled_site
    phone = make_phone(site, 1, "lobby")
    lease = phone.boot()
    [asked] = recall(site, phone)
    assert decode(asked).type is MessageType.FORCERENEW
    assert site.sent[-1].destination.host == str(lease.address)
    assert phone.client.is_forced(asked)
    assert not phone.client.is_forced(asked), "a repetition proves nothing"
    assert site.last_event(DhcpRecalled).address == str(lease.address)
    assert isinstance(phone.ask(phone.client.renew(lease)), Refused)
    assert (site.bindings[str(phone.mac)].block, site.leases[phone.mac].address) == (lease.block, lease.address)
    again = phone.boot()
    assert (again.address, again.block) == (lease.address, lease.block)
    assert isinstance(phone.ask(phone.client.renew(lease)), Acknowledged)


def test_a_forcerenew_is_repeated_until_the_phone_asks(recalled_site, make_phone) -> None:
    site = recalled_site
    phone = make_phone(site, 1, "lobby")
    lease = phone.boot()
    recall(site, phone)
    before = len(site.sent)
    site.wait(60)
    assert [decode(sent.payload).type for sent in site.sent[before:]] == [MessageType.FORCERENEW] * 2
    recall(site, phone)
    phone.ask(phone.client.renew(lease))
    before = len(site.sent)
    site.wait(60)
    assert len(site.sent) == before


def test_a_recalled_phone_that_boots_by_itself_is_served_at_once(recalled_site, make_phone) -> None:
    site = recalled_site
    phone = make_phone(site, 1, "lobby")
    lease = phone.boot()
    recall(site, phone)
    assert isinstance(phone.ask(phone.client.reboot(lease)), Acknowledged)
    assert isinstance(phone.ask(phone.client.renew(lease)), Acknowledged)


def test_only_phones_that_take_it_are_asked(recalled_site, make_phone) -> None:
    phone = make_phone(recalled_site, 1)
    with pytest.raises(LocalError, match="holds no lease"):
        recall(recalled_site, phone)
    phone.boot()
    with pytest.raises(LocalError, match="phones of class desk take no FORCERENEW"):
        recall(recalled_site, phone)


def test_a_client_without_a_lease_takes_no_forcerenew() -> None:
    client = DhcpClient(MAC, "desk", random.Random(1))
    assert not client.is_forced(force_renew(MAC, SERVER, b"", 9))
    assert not client.is_forced(b"noise")
