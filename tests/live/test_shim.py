"""The shim live, behind a real gateway: unchanged programs in phones' namespaces show the combination address (DNT-3 to DNT-8).

    a1, a2, guests - [lan0 sga wan0] - isp

All phones stand behind 203.0.113.1; the programs are Python sockets, curl, the C library's resolver, busybox and baresip.
"""

import json
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from subprocess import DEVNULL, PIPE
from typing import Any, NamedTuple

import pytest

from tests.live.bench import GATEWAY, OUTSIDE, OWN_MAC, Bench
from tests.live.sites import MACS, PROVIDER, SITE_A, until
from tests.live.softphones import BARESIP_LINES, Baresip
from voxpath.manage.client import ask

pytestmark = pytest.mark.live

PUBLIC = SITE_A.public
PRIVATE = {"a1": "10.0.0.21", "a2": "10.0.0.22"}
FAR = (PROVIDER, 9000)
LEASE_S = 60
"""The shortest; phones renew after half of it."""

STATE = (
    "ip -4 addr",
    "ip -4 -d rule",
    "ip -4 route show table all",
    "ip link show type bridge",
    "nft -s list ruleset",
    "sysctl -ar ^net[.]ipv4 2>/dev/null",
)
"""All of a namespace that a shim touches."""


class Block(NamedTuple):
    """The ports of a phone."""

    first: int
    last: int


class Site(Bench):
    """Site A with shims for phones."""

    def guest(self) -> str:
        """Plug in one more phone with a shim, which is off; tell its name."""
        self._phones += 1
        name, mac = f"g{self._phones}", OWN_MAC.format(self._phones)
        self.add_host(SITE_A, name, mac)
        self.write(name, f'[phone]\ninterface = "eth0"\nmac = "{mac}"\nshim = true')
        return name

    def power(self, name: str) -> None:
        """Start a shim and wait until it stands."""
        self.start(name, "voxpath-phone")
        self.up(name)

    def up(self, name: str) -> None:
        """Wait until a shim stands."""
        try:
            until(lambda: self.shim(name).startswith("shim up"), f"{name} has a shim", 20)
        except AssertionError as error:
            raise AssertionError(f"{error}: {self.shim(name)}; its log:\n{self.log(name)}") from None

    def shim(self, name: str) -> str:
        """What ``ctl phones`` tells of it."""
        return str(self.phone_state(name).get("state", ""))

    def block(self, name: str) -> Block:
        """Its ports."""
        public, _, ports = str(self.phone_state(name)["public"]).partition(":")
        assert public == PUBLIC
        first, last = ports.split("-")
        return Block(int(first), int(last))

    def standing(self, name: str) -> dict[str, str]:
        """All that a shim touches, as it is now."""
        return {command: self.net.run(name, ["sh", "-c", command]).stdout for command in STATE}

    def told(self, name: str, event: str) -> list[dict[str, Any]]:
        """The last events of one type of a phone's process."""
        entries = ask(self.socket(name), "events", ("100",)).entries
        return [{"text": entry.text, **entry.fields} for entry in entries if entry.id == event]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A gateway and two shims: one of the configuration, one of the command line."""
    with Site(tmp_path_factory.mktemp("shim")) as made:
        made.build()
        for name, extra in (("a1", "shim = true"), ("a2", "")):
            made.add_host(SITE_A, name, MACS[name])
            made.write_phone(name, extra)
        made.write_gateway(SITE_A)
        file = made.directory / f"{GATEWAY}.toml"
        file.write_text(file.read_text().replace('name = "one-line"', f'name = "one-line"\nlease_s = {LEASE_S}'))
        made.begin()
        made.start("a1", "voxpath-phone")
        made.start("a2", "voxpath-phone", "--shim")
        made.up("a1")
        made.up("a2")
        yield made


@pytest.fixture
def guest(site: Site) -> Iterator[str]:
    """A phone with a namespace that nobody has used; it is off, and off again afterwards."""
    name = site.guest()
    yield name
    if name in site.processes:
        site.end(name)


def exchange(one: socket.socket, other: socket.socket, to: tuple[str, int], payload: bytes) -> tuple[str, int]:
    """Send a datagram and answer it; tell what source the other side saw."""
    one.sendto(payload, to)
    octets, source = other.recvfrom(65536)
    assert octets == payload
    other.sendto(payload[::-1], source)
    assert one.recvfrom(65536) == (payload[::-1], to)
    return str(source[0]), int(source[1])


def test_datagrams_of_a_program_show_the_combination_address_and_replies_come_to_its_socket(site: Site) -> None:
    """DNT-4, DNT-7, DNT-8: the program has the public address, the LAN the private one, the port and every octet are the same."""
    port = site.block("a1").first
    payload = bytes(range(256))
    with (
        site.udp("a1", port, PUBLIC) as phone,
        site.udp(OUTSIDE, FAR[1]) as far,
        site.capture("a1", "eth0", "udp") as lan,
        site.capture(GATEWAY, "wan0", "udp") as wan,
    ):
        assert exchange(phone, far, FAR, payload) == (PUBLIC, port)
        for capture, address in ((lan, PRIVATE["a1"]), (wan, PUBLIC)):
            there, back = capture.sees(payload), capture.sees(payload[::-1])
            assert (there.source, there.source_port, there.destination, there.destination_port) == (address, port, *FAR)
            assert (back.source, back.source_port, back.destination, back.destination_port) == (*FAR, address, port)


def test_connections_go_both_ways_with_the_combination_address(site: Site) -> None:
    """DNT-4: TCP that a program opens, and TCP that it listens for."""
    first = site.block("a1").first
    payload = bytes(range(256)) * 64
    with (
        site.tcp(OUTSIDE, 9001) as far_listener,
        site.tcp("a1", first + 5, PUBLIC) as phone,
        site.tcp("a1", first, PUBLIC) as listener,
        site.tcp(OUTSIDE, 9002, PROVIDER) as far,
    ):
        far_listener.listen()
        phone.connect((PROVIDER, 9001))
        accepted, source = far_listener.accept()
        assert source == (PUBLIC, first + 5)
        assert pass_through(phone, accepted, payload) == payload
        listener.listen()
        far.connect((PUBLIC, first))
        accepted, source = listener.accept()
        assert (source, accepted.getsockname()) == ((PROVIDER, 9002), (PUBLIC, first))
        assert pass_through(far, accepted, payload) == payload
        assert pass_through(accepted, far, payload) == payload


def pass_through(one: socket.socket, other: socket.socket, payload: bytes) -> bytes:
    """What arrives of these octets, until as many have come."""
    one.sendall(payload)
    got = b""
    while len(got) < len(payload):
        got += other.recv(65536)
    return got


@pytest.mark.parametrize("rp_filter", ["0", "1"], ids=["lax", "strict"])
def test_phones_behind_one_public_address_reach_each_other_by_it_through_the_gateway(site: Site, rp_filter: str) -> None:
    """DNT-21: the other phone's port leaves the host although the address is a local one; nothing is seen outside."""
    for name in ("a1", "a2"):
        site.net.sysctl(name, "net.ipv4.conf.all.rp_filter", rp_filter)
    one, other = site.block("a1").first, site.block("a2").first
    with (
        site.capture(GATEWAY, "wan0", "udp or tcp") as wan,
        site.capture("a1", "eth0", "udp") as lan,
        site.udp("a1", one, PUBLIC) as first,
        site.udp("a2", other, PUBLIC) as second,
    ):
        assert exchange(first, second, (PUBLIC, other), b"from a1 to a2") == (PUBLIC, one)
        assert exchange(second, first, (PUBLIC, one), b"and the other way round") == (PUBLIC, other)
        for payload in (b"from a1 to a2", b"and the other way round"[::-1]):
            assert lan.sees(payload)[3:7] == (PRIVATE["a1"], one, PUBLIC, other)
            assert lan.sees(payload[::-1])[3:7] == (PUBLIC, other, PRIVATE["a1"], one)
        with site.tcp("a1", one + 7, PUBLIC) as caller, site.tcp("a2", other + 7, PUBLIC) as listener:
            listener.listen()
            caller.connect((PUBLIC, other + 7))
            accepted, source = listener.accept()
            assert source == (PUBLIC, one + 7)
            assert pass_through(caller, accepted, b"x" * 5000) == b"x" * 5000
        first.sendto(b"the end", FAR)
        wan.sees(b"the end")
        assert [frame.payload for frame in wan.frames()] == [b"the end"]
    for name in ("a1", "a2"):
        site.net.sysctl(name, "net.ipv4.conf.all.rp_filter", "0")


def test_a_phones_own_ports_stay_in_the_host(site: Site) -> None:
    first = site.block("a1").first
    with site.capture("a1", "eth0", "udp") as lan, site.udp("a1", first, PUBLIC) as one, site.udp("a1", first + 2, PUBLIC) as other:
        assert exchange(one, other, (PUBLIC, first + 2), b"to myself") == (PUBLIC, first)
        one.sendto(b"the end", FAR)
        lan.sees(b"the end")
        assert [frame.payload for frame in lan.frames()] == [b"the end"]


def test_a_neighbour_on_the_lan_is_reached_by_its_private_address_also_in_fragments(site: Site) -> None:
    """The triangle decision may give private addresses; the destination is changed after reassembly, so fragments do no harm."""
    one, other = site.block("a1").first, site.block("a2").first
    with site.udp("a1", one, PUBLIC) as first, site.udp("a2", other, PUBLIC) as second:
        assert exchange(first, second, (PRIVATE["a2"], other), b"x" * 6000) == (PRIVATE["a1"], one)


def test_a_program_that_bound_to_the_private_address_is_left_alone(site: Site) -> None:
    """voxpath's own renewals are such a program, and its file transfers when it takes over a shim."""
    port = site.block("a1").first + 9
    with site.udp("a1", port, PRIVATE["a1"]) as phone, site.udp(OUTSIDE, FAR[1]) as far:
        assert exchange(phone, far, FAR, b"plain") == (PUBLIC, port)
        assert phone.getsockname() == (PRIVATE["a1"], port)


def test_nobody_answers_arp_for_the_public_address(site: Site) -> None:
    """DNT-21: it is every phone's; the gateway has it from its routes."""
    site.add_host(SITE_A, "asker", "06:00:00:00:00:77")
    site.net.address("asker", "eth0", "10.0.0.77/24")

    def answers(address: str) -> int:
        said = site.net.run("asker", ["busybox", "arping", "-c", "1", "-w", "1", "-I", "eth0", address], check=False).stdout
        return said.count("Unicast reply")

    with site.capture("asker", "eth0", "arp") as wire:
        with site.udp("a1", site.block("a1").first, PUBLIC) as phone:
            site.net.ip("a1", "neigh", "flush", "all")
            phone.sendto(b"asks for the gateway by ARP", FAR)
        assert answers(PRIVATE["a1"]) > 0
        assert answers(PUBLIC) == 0
        assert wire.count(f"arp.src.proto_ipv4 == {PUBLIC}") == 0, "nor asks anybody with it"
        assert wire.count(f"arp.opcode == 1 && arp.src.proto_ipv4 == {PRIVATE['a1']}") > 0
    site.net.sysctl("a1", "net.ipv4.conf.eth0.arp_ignore", "0")
    assert answers(PUBLIC) > 0, "without the parameter it would be answered: this test can fail"
    site.net.sysctl("a1", "net.ipv4.conf.eth0.arp_ignore", "1")


def test_programs_that_bind_to_nothing_use_ports_of_the_block(site: Site) -> None:
    """DNT-3: sockets, curl by TFTP, and the C library's resolver."""
    block = site.block("a1")
    with site.udp(OUTSIDE, FAR[1]) as far, site.tcp(OUTSIDE, 9001) as listener:
        listener.listen()
        for number in range(20):
            for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
                with site.net.entered("a1"):
                    made = socket.socket(socket.AF_INET, kind)
                with made:
                    made.connect(FAR if kind == socket.SOCK_DGRAM else (PROVIDER, 9001))
                    made.send(b"%d" % number)
                    source = far.recvfrom(100)[1] if kind == socket.SOCK_DGRAM else listener.accept()[1]
                    assert made.getsockname() == source
                    assert source[0] == PUBLIC
                    assert block.first < source[1] <= block.last
    site.net.run("a1", ["curl", "-sS", "-m", "20", "-o", f"{site.directory}/image", "tftp://10.0.0.1/phone-1.0.bin"])
    assert (site.directory / "image").read_bytes() == (site.directory / GATEWAY / "images" / "phone-1.0.bin").read_bytes()
    readers = [event["text"].split()[0] for event in site.events("TFTP_SERVED") if "phone-1.0.bin" in event["text"]]
    assert any(
        reader.startswith(f"{PRIVATE['a1']}:") and block.first < int(reader.split(":")[1]) <= block.last for reader in readers
    )
    with Resolver(site) as resolver:
        file = site.directory / "resolv.conf"
        file.write_text(f"nameserver {PROVIDER}\n")
        code = "import socket; print(socket.getaddrinfo('phone.example', 5060, socket.AF_INET, socket.SOCK_DGRAM)[0][4][0])"
        argv = ["sh", "-c", f'mount --bind {file} /etc/resolv.conf && exec python3 -c "{code}"']
        assert site.net.run("a1", argv).stdout == "192.0.2.53\n"
        assert resolver.askers, "the name was not found elsewhere"
        assert all(host == PUBLIC and block.first < port <= block.last for host, port in resolver.askers)


class Resolver:
    """A name server outside that knows one address for every name."""

    def __init__(self, site: Site) -> None:
        self.askers: list[tuple[str, int]] = []
        self._socket = site.udp(OUTSIDE, 53)
        self._socket.settimeout(0.1)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> "Resolver":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()
        self._socket.close()

    def _run(self) -> None:
        while not self._ended.is_set():
            try:
                question, asker = self._socket.recvfrom(512)
            except TimeoutError:
                continue
            self.askers.append(asker)
            end = question.index(b"\0", 12) + 5
            answer = b"\xc0\x0c\0\x01\0\x01\0\0\0\x3c\0\x04" + socket.inet_aton("192.0.2.53")
            header = question[:2] + b"\x81\x80\0\x01\0\x01\0\0\0\0"
            self._socket.sendto(header + question[12:end] + answer, asker)


def test_a_port_outside_the_block_never_leaves_and_is_counted(site: Site) -> None:
    """Another phone's port must not be used in its name, not even by mistake."""
    stray = site.block("a2").first
    with (
        site.capture("a1", "eth0", "udp or tcp") as lan,
        site.udp("a1", stray, PUBLIC) as wrong,
        site.tcp("a1", stray, PUBLIC) as wrong_too,
        site.udp("a1", site.block("a1").first, PUBLIC) as right,
    ):
        with pytest.raises(PermissionError):
            wrong.sendto(b"stray", FAR)
        with pytest.raises(PermissionError):
            wrong.sendto(b"stray", (PUBLIC, stray))
        wrong_too.setblocking(False)
        wrong_too.connect_ex(FAR)
        right.sendto(b"the end", FAR)
        lan.sees(b"the end")
        assert [frame.payload for frame in lan.frames()] == [b"the end"]
    (dropped,) = until(lambda: site.told("a1", "SHIM_DROPPED"), "the phone tells of it")
    assert dropped["packets"] >= 3
    assert f"{site.block('a1').first}-{site.block('a1').last}" in dropped["reason"]
    assert "packets dropped" in site.shim("a1")


def test_what_comes_from_outside_in_our_own_name_is_dropped_and_counted(site: Site) -> None:
    """Packets with a local source are accepted here, other phones' being such; those of this phone itself are not."""
    first = site.block("a2").first
    spoof = (
        "from scapy.all import Ether, IP, UDP, sendp, getmacbyip; import sys\n"
        f"frame = Ether(dst='{MACS['a2']}') / IP(dst='{PRIVATE['a2']}')\n"
        f"for source, port in (('{PUBLIC}', {first}), ('{PUBLIC}', {first - 1}), ('{PRIVATE['a2']}', 7)):\n"
        f"    frame[IP].src = source; sendp(frame / UDP(sport=port, dport={first}) / str(port), iface='lan0', verbose=0)\n"
    )
    with site.udp("a2", first, PUBLIC) as phone:
        site.net.run(GATEWAY, [sys.executable, "-c", spoof])
        assert phone.recvfrom(100) == (b"%d" % (first - 1), (PUBLIC, first - 1))
        phone.setblocking(False)
        with pytest.raises(BlockingIOError):
            phone.recv(100)
    (dropped,) = until(lambda: [each for each in site.told("a2", "SHIM_DROPPED") if "from outside" in each["reason"]], "it is told")
    assert dropped["packets"] == 2


def test_a_shim_has_no_line_for_commands(site: Site) -> None:
    row = site.phone_state("a1")
    assert (row["address"], row["public"]) == (PRIVATE["a1"], f"{PUBLIC}:{site.block('a1').first}-{site.block('a1').last}")
    with pytest.raises(Exception, match="has no line: it is a shim"):
        ask(site.socket("a1"), "off-hook", (MACS["a1"],))


def test_baresip_unchanged_shows_the_combination_address_in_contact_via_and_sdp(site: Site, tmp_path: Path) -> None:
    """DNT-4: its REGISTER and its INVITE, as a server outside receives them."""
    block = site.block("a1")
    contact = f"{PUBLIC}:{block.first}"
    ports = f"rtp_ports {block.first + 2}-{block.last - 1}"
    modules = ("module g711.so", "module_tmp account.so", "module_app menu.so")
    lines = (f"sip_listen {contact}", f"net_interface {PUBLIC}", ports, *BARESIP_LINES, *modules)
    (tmp_path / "config").write_text("\n".join(lines) + "\n")
    (tmp_path / "accounts").write_text(f"<sip:a1@{PROVIDER}>;auth_pass=x;regint=300;audio_codecs=PCMA,PCMU\n")
    (tmp_path / "contacts").write_text("")
    phone = Baresip(site.net, "a1", tmp_path, 400)
    with site.udp(OUTSIDE, 5060) as server:
        phone.start()
        try:
            register, source = server.recvfrom(65536)
            assert source == (PUBLIC, block.first)
            assert register.startswith(b"REGISTER ")
            shows(register, contact)
            phone.dial(f"sip:b1@{PROVIDER}")
            invite = b""
            while not invite.startswith(b"INVITE "):
                invite, source = server.recvfrom(65536)
            assert source == (PUBLIC, block.first)
            shows(invite, contact)
            body = invite.partition(b"\r\n\r\n")[2].decode()
            assert f"c=IN IP4 {PUBLIC}\r\n" in body
            media = next(line for line in body.splitlines() if line.startswith("m=audio "))
            assert block.first < int(media.split()[1]) <= block.last
            for message in (register, invite):
                assert PRIVATE["a1"].encode() not in message
        finally:
            phone.end()


def shows(message: bytes, contact: str) -> None:
    """Contact and Via of a request name the combination address."""
    headers = message.partition(b"\r\n\r\n")[0].decode().split("\r\n")
    assert any(line.startswith("Contact:") and f"@{contact}" in line for line in headers), message
    assert any(line.startswith("Via: SIP/2.0/UDP ") and contact in line for line in headers), message


# Coming and going.


def test_what_stood_before_stands_again_when_the_phone_ends(site: Site, guest: str) -> None:
    """Addresses, rules, routes, nftables and kernel parameters are compared, with values that are not the kernel's own."""
    site.net.sysctl(guest, "net.ipv4.ip_local_port_range", "40000 50000")
    site.net.sysctl(guest, "net.ipv4.conf.eth0.arp_announce", "1")
    site.net.ip(guest, "rule", "add", "pref", "100", "to", "192.0.2.0/24", "lookup", "main")
    site.net.run(guest, ["nft", "add", "table", "ip", "own"])
    before = site.standing(guest)
    site.power(guest)
    assert all(site.standing(guest)[command] != before[command] for command in STATE)
    with site.udp(guest, site.block(guest).first, PUBLIC) as phone, site.udp(OUTSIDE, FAR[1]) as far:
        exchange(phone, far, FAR, b"it works")
    site.end(guest)
    assert site.standing(guest) == before
    site.is_sound(guest)


def test_a_killed_phones_shim_goes_on_and_is_taken_over(site: Site, guest: str) -> None:
    before = site.standing(guest)
    site.power(guest)
    with site.udp(guest, site.block(guest).first, PUBLIC) as phone, site.udp(OUTSIDE, FAR[1]) as far:
        exchange(phone, far, FAR, b"before")
        block, stood = site.block(guest), site.standing(guest)
        site.end(guest, signal.SIGKILL)
        exchange(phone, far, FAR, b"nobody is there")
        site.power(guest)
        assert site.standing(guest) == stood, "not one rule was touched"
        assert (site.block(guest), [event["how"] for event in site.told(guest, "SHIM_UP")]) == (block, ["taken over"])
        exchange(phone, far, FAR, b"after")
    site.end(guest)
    assert site.standing(guest) == before
    site.is_sound(guest)


@pytest.mark.parametrize(
    "damage",
    ["ip rule del pref 2 ipproto udp", "ip link del vpshim", "nft delete table ip voxpath_shim"],
    ids=["rule", "bridge", "table"],
)
def test_a_running_phone_repairs_a_shim_that_is_not_whole(site: Site, damage: str) -> None:
    """What a killed one left, and somebody damaged, is replaced in ``test_shim_host``."""
    whole, times = site.standing("a2"), len(site.told("a2", "SHIM_UP"))
    site.net.run("a2", ["sh", "-c", damage])
    until(lambda: len(site.told("a2", "SHIM_UP")) > times, f"the running phone repairs it: {site.log('a2')}")
    assert "somebody" in site.told("a2", "SHIM_FAILED")[-1]["reason"]
    mended = site.standing("a2")
    for command in ("ip -4 -d rule", "ip -4 route show table all", STATE[-1]):
        assert mended[command] == whole[command]
    with site.udp("a2", site.block("a2").first, PUBLIC) as phone, site.udp(OUTSIDE, FAR[1]) as far:
        exchange(phone, far, FAR, b"works")


def test_a_shim_that_cannot_be_set_up_is_told_and_tried_again(site: Site, guest: str) -> None:
    """Somebody else owns a table of its name; nothing is left half-way."""
    holder = site.net.spawn(guest, ["nft", "-i"], stdin=PIPE, stdout=DEVNULL, stderr=DEVNULL)
    assert holder.stdin is not None
    holder.stdin.write(b"add table ip voxpath_shim { flags owner; }\n")
    holder.stdin.flush()
    until(lambda: "voxpath_shim" in site.net.run(guest, ["nft", "list", "tables"]).stdout, "the table is there", 5)
    before = site.standing(guest)
    site.start(guest, "voxpath-phone")
    failed = until(lambda: site.rows(guest, "phones") and site.told(guest, "SHIM_FAILED"), f"it is told: {site.log(guest)}")
    assert "nftables: " in failed[0]["reason"]
    assert site.shim(guest) == "shim failed"
    now = site.standing(guest)
    for command in ("ip -4 -d rule", "nft -s list ruleset", "ip link show type bridge", STATE[-1]):
        assert now[command] == before[command]
    site.net.end(holder)
    site.up(guest)


def test_a_kernel_that_would_drop_the_answers_of_dhcp_is_told_of(site: Site, guest: str) -> None:
    site.net.sysctl(guest, "net.ipv4.conf.all.rp_filter", "2")
    site.start(guest, "voxpath-phone")
    until(lambda: [row for row in site.rows(guest, "roles") if row["state"] == "paused"], f"the role waits: {site.log(guest)}")
    assert "rp_filter is 2: answers to eth0 are dropped while it has no address; set it to 0" in site.log(guest)
    site.net.sysctl(guest, "net.ipv4.conf.all.rp_filter", "0")
    site.up(guest)


def test_a_second_shim_in_the_same_namespace_is_refused(site: Site) -> None:
    site.write("second", f'[phone]\ninterface = "eth0"\nmac = "{MACS["a2"]}"\nshim = true')
    argv = site.processes["a1"].args
    assert isinstance(argv, list)
    log = site.directory / "second.log"
    with log.open("wb") as output:
        words = [word.replace("a1.toml", "second.toml") for word in argv[4:]]
        second = site.net.spawn("a1", words, stdout=output, stderr=output)
    until(lambda: "another process has a shim in this network namespace" in log.read_text(), "the second one says why", 20)
    site.net.end(second)
    assert site.shim("a1").startswith("shim up")


def test_renewals_go_on_under_a_shim(site: Site) -> None:
    """Near the end, since the lease has been renewed meanwhile."""
    until(lambda: site.told("a1", "PHONE_LEASE_RENEWED"), "the lease is renewed under the shim", LEASE_S)
    assert [event["how"] for event in site.told("a1", "SHIM_UP")] == ["set up"]


def test_another_block_makes_another_shim(site: Site) -> None:
    """The shim lasts as long as its lease: the gateway comes back with an empty ledger and other ports."""
    old = site.block("a1")
    site.end(GATEWAY)
    (site.directory / GATEWAY / "voxpath.db").unlink()
    file = site.directory / f"{GATEWAY}.toml"
    file.write_text(file.read_text().replace("ports = [2048, 65535]", "ports = [40960, 49151]"))
    site.begin()
    (down,) = until(lambda: site.told("a1", "SHIM_DOWN"), "the shim goes with the lease", LEASE_S)
    assert down["combination"] == f"{PUBLIC}:{old.first}-{old.last}"
    until(lambda: len(site.told("a1", "SHIM_UP")) == 2, "the next lease makes another shim", 20)
    new = site.block("a1")
    assert new.first >= 40960
    listed = json.loads(site.net.run("a1", ["ip", "-4", "-j", "rule"]).stdout)
    assert {rule["dport_start"] for rule in listed if "dport_start" in rule} == {new.first}
    with site.udp("a1", new.first, PUBLIC) as phone, site.udp(OUTSIDE, FAR[1]) as far:
        assert exchange(phone, far, FAR, b"again") == (PUBLIC, new.first)
    site.is_sound("a1")
