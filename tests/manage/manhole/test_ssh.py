"""The manhole over SSH, against conch's own client in memory; the stock client comes in the live tests."""

import struct
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from twisted.conch.ssh import common, keys
from twisted.conch.ssh.transport import MSG_KEXINIT
from twisted.internet.defer import Deferred

from tests.manage.manhole.sshclient import Channel, House, new_key, public_line
from voxpath.core.errors import LocalError
from voxpath.manage.manhole.gate import ATTEMPTS_LIMIT, BEFORE_LOGIN_LIMIT, CONNECTIONS_LIMIT, IDLE_S, LOGIN_S
from voxpath.manage.manhole.keys import fingerprint
from voxpath.manage.manhole.session import CHANNELS_LIMIT
from voxpath.manage.manhole.ssh import VERSION


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


def who(house: House) -> str:
    return f"op ({fingerprint(house.key)} op@desk)"


def test_whoever_has_a_key_comes_in_and_each_line_is_told(house: House) -> None:
    house.names["x"] = 41
    client = house.client()
    assert client.is_in
    session = client.shell()
    assert b">>> " in session.seen
    assert b"\r\n42\r\n>>> " in client.types(session, b"x + 1\r")
    client.types(session, b"\x04")
    assert session.status == 0
    client.leaves()
    told = [event.text for event in house.ground.told]
    assert told[0] == f"{who(house)} entered the manhole by SSH from ?:0"
    assert told[1] == f"{who(house)} from ?:0: x + 1"
    assert told[2].startswith(f"{who(house)} from ?:0 left the manhole")
    assert house.ground.is_left()


def test_a_key_that_is_not_authorized_is_refused_and_told(house: House) -> None:
    other = new_key()
    client = house.client(other)
    assert not client.is_in
    (told,) = house.ground.texts("MANHOLE_LOGIN_REFUSED")
    assert told == f"op ({fingerprint(other)}) was refused by the manhole (SSH from ?:0): the key is not among the authorized ones"
    client.leaves()
    assert house.ground.is_left()


def test_the_right_key_after_wrong_ones_is_admitted_and_too_many_are_not(house: House) -> None:
    client = house.client(*(new_key() for _ in range(ATTEMPTS_LIMIT - 1)), house.key)
    assert client.is_in
    client.leaves()
    client = house.client(*(new_key() for _ in range(ATTEMPTS_LIMIT)), house.key)
    assert not client.is_in
    assert client.far.aborted
    client.leaves()


def test_passwords_are_not_even_offered_and_whoever_tries_one_is_told_of(house: House) -> None:
    client = house.client(new_key(), password=b"secret")
    assert not client.is_in
    assert client.server.service.supportedAuthentications == [b"publickey"]
    client.transport.auth.askForAuth(b"password", b"\0" + common.NS(b"secret"))
    client.transport.auth.askForAuth(b"keyboard-interactive", common.NS(b"") * 2)
    client.flush()
    told = house.ground.texts("MANHOLE_LOGIN_REFUSED")[-2:]
    assert [text.rsplit(": ", 2)[1] for text in told] == ["login by password is off", "login by keyboard-interactive is off"]
    assert not any("secret" in event.text for event in house.ground.told)
    assert not client.is_in
    client.leaves()


def test_a_key_that_was_taken_out_admits_nobody_any_more_without_a_restart(house: House) -> None:
    house.authorized.write_text(public_line(new_key(), "somebody else"))
    client = house.client()
    assert not client.is_in
    client.leaves()


def test_a_file_that_cannot_be_trusted_admits_nobody_and_says_why(house: House) -> None:
    house.authorized.chmod(0o666)
    client = house.client()
    assert not client.is_in
    assert "chmod go-w it" in house.ground.texts("MANHOLE_LOGIN_REFUSED")[0]
    client.leaves()


class Forger(keys.Key):
    """A public key of somebody else, with signatures of one's own."""

    def __init__(self, real: keys.Key, own: keys.Key) -> None:
        super().__init__(real._keyObject)
        self._own = own

    def sign(self, data: bytes, signatureType: bytes | None = None) -> bytes:
        return bytes(self._own.sign(data))


def test_a_key_without_its_private_half_admits_nobody(house: House) -> None:
    client = house.client(Forger(house.key, new_key()))
    assert not client.is_in
    assert "the signature is wrong" in house.ground.texts("MANHOLE_LOGIN_REFUSED")[0]
    client.leaves()


def test_signatures_with_sha_1_are_not_taken(house: House) -> None:
    """RFC 8332: an RSA key signs with SHA-2."""
    key: keys.Key = keys.Key(rsa.generate_private_key(public_exponent=65537, key_size=2048))
    house.authorized.write_text(public_line(key, "rsa"))
    modern = house.client(_Signing(key, b"rsa-sha2-512"))
    assert modern.is_in
    modern.leaves()
    old = house.client(_Signing(key, b"ssh-rsa"))
    assert not old.is_in
    assert "made with SHA-1" in house.ground.texts("MANHOLE_LOGIN_REFUSED")[0]
    old.leaves()


class _Signing(keys.Key):
    def __init__(self, real: keys.Key, signature: bytes) -> None:
        super().__init__(real._keyObject)
        self._signature = signature

    def sign(self, data: bytes, signatureType: bytes | None = None) -> bytes:
        return bytes(super().sign(data, self._signature))

    def public(self) -> keys.Key:
        return keys.Key(self._keyObject.public_key())


def test_clients_are_told_how_they_may_sign_whatever_the_servers_own_key_is(house: House) -> None:
    """RFC 8308: OpenSSH tries no RSA key otherwise."""
    client = house.client()
    told = client.transport.peerExtensions[b"server-sig-algs"].split(b",")
    assert {b"ssh-ed25519", b"rsa-sha2-512", b"ecdsa-sha2-nistp256"} <= set(told)
    assert b"ssh-rsa" not in told
    client.leaves()


def test_one_command_and_its_exit_status(house: House) -> None:
    def refuse() -> None:
        raise LocalError("there is no such phone; see leases")

    house.names |= {"refuse": refuse, "later": Deferred()}
    client = house.client()
    done = client.runs(b"print('a')\n1 + 1")
    assert (done.seen, done.status) == (b"a\n2\n", 0)
    done = client.runs(b"refuse()")
    assert (done.seen, done.status) == (b"there is no such phone; see leases\n", 1)
    waiting = client.runs(b"later")
    assert waiting.status is None
    house.names["later"].callback("here")
    client.flush()
    assert (waiting.seen.endswith(b"Deferred 1: 'here'\n"), waiting.status) == (True, 0)
    client.leaves()
    assert house.ground.is_left()


def test_a_script_from_a_pipe(house: House) -> None:
    client = house.client()
    session = client.shell(has_terminal=False)
    client.types(session, b"for x in 'ab':\n    print(x)\n\n")
    client.service.sendEOF(session)
    client.flush()
    assert (session.seen, session.status) == (b"a\nb\n", 0)
    client.leaves()


def test_nothing_but_sessions_and_only_a_few(house: House) -> None:
    client = house.client()
    forwarded = Channel(conn=client.service)
    forwarded.name = b"direct-tcpip"
    assert client.opens(forwarded).is_refused
    sessions = [client.opens() for _ in range(CHANNELS_LIMIT)]
    assert all(session.is_open for session in sessions)
    assert client.opens().is_refused
    answered: list[bool] = []
    client.service.sendGlobalRequest(b"tcpip-forward", common.NS(b"") + struct.pack(">L", 0), wantReply=1).addErrback(
        lambda _: answered.append(False)
    )
    client.flush()
    assert answered == [False]
    for request in (b"subsystem", b"x11-req", b"env", b"auth-agent-req@openssh.com", b"signal"):
        assert not client.asks(sessions[0], request, common.NS(b"sftp") + common.NS(b""))
    client.leaves()
    assert house.ground.is_left()


def test_one_shell_in_a_session(house: House) -> None:
    client = house.client()
    session = client.shell()
    assert not client.asks(session, b"shell")
    assert not client.asks(session, b"exec", common.NS(b"1"))
    client.leaves()


def test_another_size_of_the_terminal_does_no_harm(house: House) -> None:
    client = house.client()
    session = client.shell()
    assert client.asks(session, b"window-change", struct.pack(">4L", 132, 50, 0, 0))
    assert client.asks(client.opens(), b"window-change", struct.pack(">4L", 132, 50, 0, 0))
    assert client.types(session, b"1\r").endswith(b"\n1\r\n>>> ")
    client.leaves()


def test_what_comes_before_a_shell_is_not_kept(house: House) -> None:
    client = house.client()
    session = client.opens()
    for _ in range(50):
        client.types(session, b"x" * 30_000)
    (channel,) = client.server.service.channels.values()
    assert channel.buf == b""
    client.service.sendEOF(session)
    client.flush()
    assert channel.localClosed
    client.leaves()


def test_a_visitor_who_goes_away_leaves_nothing_behind(house: House) -> None:
    later: Deferred[str] = Deferred()
    house.names["later"] = later
    client = house.client()
    client.types(client.shell(), b"later\r")
    client.runs(b"later")
    client.leaves()
    later.callback("to nobody")
    assert house.ground.is_left()


def test_a_command_whose_client_is_gone_is_not_run(house: House) -> None:
    client = house.client()
    session = client.opens()
    client.service.sendRequest(session, b"exec", common.NS(b"print(1)"))
    there = client.near.value()
    client.server.dataReceived(there)
    client.leaves()
    house.ground.reactor.advance(1)
    assert house.ground.lines() == []


def test_who_types_nothing_is_sent_away_and_who_never_logs_in_too(house: House) -> None:
    client = house.client()
    session = client.shell()
    house.ground.reactor.advance(IDLE_S - 1)
    client.types(session, b"1\r")
    house.ground.reactor.advance(IDLE_S - 1)
    assert not client.far.aborted
    client.service.sendGlobalRequest(b"keepalive@openssh.com", b"")
    client.flush()
    house.ground.reactor.advance(1)
    assert client.far.aborted
    client.leaves()
    stranger, wire = house.stranger()
    house.ground.reactor.advance(LOGIN_S)
    assert wire.aborted
    stranger.connectionLost()
    assert house.ground.is_left()


def packet(payload: bytes) -> bytes:
    """A packet before keys are agreed on (RFC 4253, 6)."""
    padding = 8 - (5 + len(payload)) % 8 + 4
    padding += (8 - (5 + len(payload) + padding) % 8) % 8
    return struct.pack(">LB", len(payload) + padding + 1, padding) + payload + bytes(padding)


HELLO = b"SSH-2.0-x\r\n"


@pytest.mark.parametrize(
    "octets",
    [
        b"\0" * 10_000_000,
        b"GET / HTTP/1.0\r\n\r\n",
        b"SSH-" + b"x" * 10_000_000,
        b"SSH-9.9-x\r\n",
        b"SSH-\r\n",
        b"SSH-2.0\xff\xfe\r\n" + b"\xff" * 100,
        HELLO + b"\0" * 10_000_000,
        HELLO + b"\xff" * 10_000_000,
        HELLO + struct.pack(">LB", 1_000_000, 4) + b"x" * 10_000_000,
        HELLO + struct.pack(">LB", 12, 200) + b"x" * 100,
        HELLO + packet(bytes((MSG_KEXINIT,))),
        HELLO + packet(bytes((MSG_KEXINIT,)) + bytes(16) + struct.pack(">L", 0xFFFFFFFF) * 10 + b"\0"),
        HELLO + packet(bytes((MSG_KEXINIT,)) + bytes(16) + common.NS(b"none") * 10 + bytes(5)),
        HELLO + packet(b"\x05" + common.NS(b"ssh-userauth")) + packet(b"\x32" + common.NS(b"op") * 3 + b"\x01") * 10,
        HELLO + packet(b"\x05" + common.NS(b"ssh-connection")) * 10,
        HELLO + packet(b"\x1e" + common.NS(b"x")) * 3,
        HELLO + packet(b"\x15"),
        HELLO + packet(b"\x05" + common.NS(b"ssh-userauth")) * 4000,
        HELLO + packet(b"\xc0") * 10_000,
    ],
)
def test_what_is_no_ssh_ends_the_connection_in_one_line(house: House, octets: bytes) -> None:
    """Zeros, a version without end, lengths that lie, messages out of their turn: bounded, told, and no traceback."""
    stranger, wire = house.stranger()
    for at in range(0, len(octets), 65536):
        stranger.dataReceived(octets[at : at + 65536])
    assert len(stranger.buf) <= 65536 + BEFORE_LOGIN_LIMIT
    assert len(wire.value()) < 2 * BEFORE_LOGIN_LIMIT
    if not wire.disconnecting:
        house.ground.reactor.advance(LOGIN_S)
    assert wire.disconnecting
    assert house.ground.ids() == ["MANHOLE_REFUSED"]
    assert all(event.text.isprintable() for event in house.ground.told)
    stranger.connectionLost()
    assert house.ground.is_left()


def test_nothing_is_decompressed_before_a_login(house: House) -> None:
    stranger, _ = house.stranger()
    assert stranger.supportedCompressions == [b"none"]
    assert not {b"ssh-rsa", b"ssh-dss"} & set(stranger.supportedPublicKeys)
    assert not [name for name in stranger.supportedKeyExchanges if b"sha1" in name]
    assert stranger.ourVersionString == VERSION
    stranger.connectionLost()


def test_a_broken_packet_of_a_visitor_is_logged_and_costs_that_session_alone(house: House, no_logged_failure: list[Any]) -> None:
    client = house.client()
    client.transport.sendPacket(94, b"\0")
    client.flush()
    assert client.far.aborted
    assert house.ground.texts("MANHOLE_LEFT")[0].endswith("left the manhole: broken SSH: error")
    assert no_logged_failure.pop()["log_failure"].check(struct.error)
    client.leaves()
    assert house.client().is_in
    house.ground.gate.close()


def test_connections_come_through_the_gate(house: House) -> None:
    strangers = [house.stranger()[0] for _ in range(CONNECTIONS_LIMIT)]
    assert house.factory.buildProtocol(None) is None
    for stranger in strangers:
        stranger.connectionLost()
    assert house.ground.is_left()


def test_the_user_name_is_free_and_harmless(house: House) -> None:
    client = house.client(user=b"evil\x1b[2J\xff" + b"x" * 1000)
    assert client.is_in
    assert house.ground.told[0].text.startswith("evil\\x1b[2J\\\\xffx") or house.ground.told[0].text.startswith(
        "evil\\x1b[2J\\xffx"
    )
    assert len(house.ground.told[0].text) < 300
    client.leaves()
