"""The phone's side: what it sends, what it takes, and what it misses (PHN-3, PHN-6, DHC-20)."""

from ipaddress import IPv4Address

import pytest

from voxpath.core.errors import RemoteError
from voxpath.dhcp import options as code
from voxpath.dhcp.client import Acknowledged, Incomplete, Offered, Refused
from voxpath.dhcp.message import MessageType
from voxpath.dhcp.wire import decode, encode


def without(payload: bytes, *options: int, **fields: object) -> bytes:
    message = decode(payload)
    left = {option: value for option, value in message.options.items() if option not in options}
    return encode(message._replace(options=left, **fields))


@pytest.fixture
def offer(site, phone) -> bytes:
    return site.tell(phone.client.discover())[0].payload


def test_a_discover_names_the_class_and_asks_for_our_options(phone) -> None:
    message = decode(phone.client.discover(elapsed_s=7.9))
    assert message.type is MessageType.DISCOVER
    assert message.vendor_class == b"desk"
    assert message.secs == 7
    assert message.broadcast
    assert message.options[code.CLIENT_ID] == b"\x01" + phone.mac
    assert set(code.FLAT_CODES) <= set(message.options[code.PARAMETER_REQUEST_LIST])


def test_requests_have_the_fields_of_their_kind(phone) -> None:
    """RFC 2131 table 5 and section 4.3.6."""
    lease = phone.boot()
    client = phone.client
    address = lease.address
    for payload, ciaddr, wanted, server in (
        (client.request(lease), None, address, lease.server),
        (client.reboot(lease), None, address, None),
        (client.renew(lease), address, None, None),
        (client.release(lease), address, None, lease.server),
        (client.decline(lease), None, address, lease.server),
        (client.inform(address), address, None, None),
    ):
        message = decode(payload)
        assert message.ciaddr == (ciaddr or IPv4Address(0))
        assert message.address(code.REQUESTED_ADDRESS) == wanted
        assert message.address(code.SERVER_ID) == server


def test_selecting_goes_on_with_the_exchange_and_all_else_begins_one(phone) -> None:
    lease = phone.offer()
    xid = phone.client.xid
    phone.client.request(lease)
    assert phone.client.xid == xid
    phone.client.renew(lease)
    assert phone.client.xid != xid


def test_a_host_name_is_sent_if_there_is_one(make_phone, site) -> None:
    phone = make_phone(site, 1)
    phone.client._own[code.HOST_NAME] = b"kitchen"
    assert phone.boot().host_name == "kitchen"


@pytest.mark.parametrize(
    ("options", "fields", "missing"),
    [
        ((code.VENDOR, code.PORT_RANGE), {}, ("port range (43.1 or 224)",)),
        ((code.VENDOR, code.MGC_LIST), {}, ("MGC list (43.2 or 225)",)),
        ((code.LEASE_TIME,), {}, ("lease time (51)",)),
        ((code.SERVER_ID, code.SUBNET_MASK), {}, ("subnet mask (1)", "server identifier (54)")),
        ((code.TFTP_SERVER,), {"sname": b"", "siaddr": IPv4Address(0)}, ("TFTP server (66)",)),
        ((), {"yiaddr": IPv4Address(0)}, ("address",)),
    ],
)
def test_what_is_missing_is_named(phone, offer, options, fields, missing) -> None:
    answer = phone.client.read(without(offer, *options, **fields))
    assert answer == Incomplete(MessageType.OFFER, missing)


def test_either_layout_and_any_way_to_name_the_file_server_suffice(phone, offer) -> None:
    whole = phone.client.read(offer)
    assert isinstance(whole, Offered)
    for options, fields in (
        ((code.VENDOR,), {}),
        (code.FLAT_CODES, {}),
        ((code.TFTP_SERVER,), {"sname": b""}),
        ((code.TFTP_SERVER, code.BOOT_FILE), {}),
    ):
        assert phone.client.read(without(offer, *options, **fields)) == whole


def test_a_phone_that_only_holds_a_lease_needs_neither_file_server_nor_controller(phone, offer) -> None:
    """DNT-2: the ports are what a shim cannot do without."""
    phone.client._registers = False
    bare = without(offer, code.VENDOR, code.MGC_LIST, code.TFTP_SERVER, code.BOOT_FILE, sname=b"", siaddr=IPv4Address(0))
    answer = phone.client.read(bare)
    assert isinstance(answer, Offered)
    assert (answer.lease.tftp, answer.lease.mgcs) == ("", ())
    missing = phone.client.read(without(bare, code.PORT_RANGE))
    assert missing == Incomplete(MessageType.OFFER, ("port range (43.1 or 224)",))


def test_what_is_not_for_this_exchange_is_not_read(phone, offer) -> None:
    for fields in ({"xid": 1}, {"chaddr": b"\x02\0\0\0\0\x99"}, {"op": 1}):
        assert phone.client.read(without(offer, **fields)) is None
    message = decode(offer)
    inform = encode(message._replace(options={**message.options, code.MESSAGE_TYPE: b"\x08"}))
    assert phone.client.read(inform) is None


def test_a_nak_tells_its_reason_safely(phone, offer) -> None:
    message = decode(offer)
    payload = encode(message._replace(options={code.MESSAGE_TYPE: b"\x06", code.MESSAGE: b"no\x1b[2J"}))
    assert phone.client.read(payload) == Refused("no\\x1b[2J")


def test_a_wrong_mask_is_malformed(phone, offer) -> None:
    message = decode(offer)
    payload = encode(message._replace(options={**message.options, code.SUBNET_MASK: bytes((255, 0, 255, 0))}))
    with pytest.raises(RemoteError):
        phone.client.read(payload)


def test_offer_and_ack_give_the_same_lease(phone) -> None:
    offered = phone.offer()
    answer = phone.ask(phone.client.request(offered))
    assert answer == Acknowledged(offered)
