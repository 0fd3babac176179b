"""``make demo``: the main job, live, in network namespaces: phones at two sites boot, register and call each other.

Everything in it is real: voxpath's own processes, stock DHCP and TFTP clients, Erlang's MEGACO gateway, baresip as SIP phones, sipp
as a caller outside, the kernel's nftables, and tshark as the judge of what was on the wires.
It takes less than two minutes, and takes away again what it made.
"""

import os
import signal
import sys
import tempfile
import time
from pathlib import Path

from tests.live.capture import Capture
from tests.live.demo_sip import SipActs
from tests.live.dhcpclients import Phone, dhclient_octets, ports_of
from tests.live.erlang import simple_gateway
from tests.live.namespaces import end_on_signals
from tests.live.narration import check, ctl, say
from tests.live.sipsites import SipStage
from tests.live.sites import ADDRESSES, CONTROLLERS, FOREIGN_MG, MACS, NUMBERS, SIP_SERVERS, SITE_A, TONES, until

RTP = "udp.port >= 2048 && udp.port != 2944 && udp.length == 180"
STRANGER = "00:00:5e:00:53:01"
SECOND_S = 1.0
CURL_TFTP_ACCESS_VIOLATION = 69


class Demonstration:
    """The acts, in their order; they share the stage."""

    def __init__(self, stage: SipStage) -> None:
        self.stage = stage

    def run(self) -> None:
        """All acts."""
        self.servers()
        self.stock_clients()
        self.strangers()
        self.phones()
        self.call_within()
        self.call_between()
        self.spoof()
        self.crash()
        self.erlang()
        self.backup()
        self.ladder()
        SipActs(self.stage).run()

    def servers(self) -> None:
        """Two service gateways, two controllers and a SIP server."""
        say("Two sites with the SAME private subnet 10.0.0.0/24, a provider network with two MEGACO controllers and a SIP server:")
        say("  a1, a2 - [lan0 SG-A wan0] - provider - [wan0 SG-B lan0] - b3, b4;  MGC 1, MGC 2 and SIP 1 at the provider")
        stage = self.stage
        stage.build()
        stage.begin()
        stage.start_servers(*CONTROLLERS)
        say("twistd voxpath-sg runs at both sites, voxpath-mgc twice, voxpath-sip; all three get the gateways' ledgers over TLS")

    def stock_clients(self) -> None:
        """Stock DHCP and TFTP clients get what a phone gets."""
        net, directory = self.stage.net, self.stage.directory
        say("A phone of which udhcpc is the DHCP client, and one with dhclient:")
        for number, client in ((0x51, "udhcpc"), (0x52, "dhclient")):
            mac = f"02:00:00:00:0a:{number:02x}"
            self.stage.add_host(SITE_A, client, mac)
            phone = Phone(net, client, mac, directory)
            if client == "udhcpc":
                told = phone.udhcpc()
                address, ports = told["ip"], ports_of(bytes.fromhex(told["opt224"]))
            else:
                told = phone.dhclient()
                address, ports = told["new_ip_address"], ports_of(dhclient_octets(told["new_voxpath_ports"]))
            say(f"  {client}: address {address}, and the ports {ports.first} to {ports.last} of {ports.public} for good")
        expected = (directory / "sga" / "images" / "phone-1.0.bin").read_bytes()
        for client, host, argv in (
            ("tftp-hpa", "udhcpc", ["tftp", "-m", "binary", "10.0.0.1", "-c", "get", "phone-1.0.bin", "hpa.bin"]),
            ("curl", "dhclient", ["curl", "-sS", "-o", "curl.bin", "tftp://10.0.0.1/phone-1.0.bin"]),
        ):
            net.run(host, ["sh", "-c", f"cd {directory} && exec {' '.join(argv)}"])
            fetched = directory / ("hpa.bin" if client == "tftp-hpa" else "curl.bin")
            check(fetched.read_bytes() == expected, f"{client} fetched the boot image, octet by octet the same")
        own, other = "020000000a51", "020000000a52"
        net.run("udhcpc", ["curl", "-sS", "-o", f"{directory}/own.cfg", f"tftp://10.0.0.1/{own}.cfg"])
        check("port" in (directory / "own.cfg").read_text(), "its own configuration file was rendered from its lease")
        refused = net.run("udhcpc", ["curl", "-sS", "-o", f"{directory}/other.cfg", f"tftp://10.0.0.1/{other}.cfg"], check=False)
        check(refused.returncode == CURL_TFTP_ACCESS_VIOLATION, "its neighbour's is refused: curl reports an access violation")

    def strangers(self) -> None:
        """Silence for the unknown, and the reason for the operator."""
        net, directory = self.stage.net, self.stage.directory
        say("An unknown Ethernet address, and a known one with a wrong vendor class: silence, but the operator can ask why:")
        self.stage.add_host(SITE_A, "stranger", STRANGER)
        self.stage.add_host(SITE_A, "laptop", "02:00:00:00:0a:53")
        for name, mac, vendor in (("stranger", STRANGER, "voxpath-phone"), ("laptop", "02:00:00:00:0a:53", "MSFT 5.0")):
            phone = Phone(net, name, mac, directory)
            with Capture(net, name, "eth0", directory, "udp port 68") as wire:
                check(phone.udhcpc_in_vain(vendor)() != 0, f"udhcpc of {mac} as {vendor!r} got no lease")
            check(wire.count("dhcp.option.dhcp >= 2 && ip.src == 10.0.0.1") == 0, "no DHCP answer was on its wire")
            ctl(self.stage, ("sga",), "why", mac)

    def phones(self) -> None:
        """Four phones power up."""
        say("Power on: four voxpath-phones; DISCOVER, lease with ports, boot image, configuration, registration:")
        self.stage.start_phones(*MACS)
        self.stage.registered(*MACS)
        ctl(self.stage, ("sga",), "leases")
        ctl(self.stage, ("sga",), "blocks")
        ctl(self.stage, ("mgc1",), "registrations")
        inside = [row["private"] for row in self.stage.rows("mgc1", "registrations")]
        check(sorted(inside) == sorted(ADDRESSES * 2), "the phones of the two sites have the same private addresses")

    def call_within(self) -> None:
        """Phone 1 calls phone 2: the media stays on the LAN."""
        stage = self.stage
        say(f"a1 dials {NUMBERS['a2']}: both are behind SG-A, so each gets the other's PRIVATE address")
        with Capture(stage.net, "sga", "wan0", stage.directory, "udp") as wan:
            stage.call("a1", "a2")
            say(f"  a1 hears {stage.phone_state('a1')['hears_hz']:g} Hz (a2 sends {TONES['a2']}), a2 hears a1's {TONES['a1']} Hz")
            ctl(stage, ("mgc1",), "calls")
            stage.hang_up("a1", "a2")
            until(lambda: not stage.rows("mgc1", "calls"), "the call is released")
        check(wan.count(RTP) == 0, "no RTP packet was seen outside SG-A")
        check(wan.complaints("megaco") == [], "tshark has no complaint about our MEGACO messages")

    def call_between(self) -> None:
        """Phone 1 calls phone 3: public addresses, ports unchanged."""
        stage = self.stage
        say(f"a1 dials {NUMBERS['b3']}: behind another gateway, so each gets the other's PUBLIC address")
        net, directory = stage.net, stage.directory
        with Capture(net, "a1", "eth0", directory, "udp") as inside, Capture(net, "sga", "wan0", directory, "udp") as wan:
            stage.call("a1", "b3")
            say(f"  a1 hears b3's {TONES['b3']} Hz, b3 hears a1's {TONES['a1']} Hz")
            ctl(stage, ("mgc1",), "calls")
            stage.hang_up("a1", "b3")
            until(lambda: not stage.rows("mgc1", "calls"), "the call is released")
        sent = {payload: port for port, payload in inside.tshark(f"({RTP}) && ip.src == 10.0.0.0/24", "udp.srcport", "udp.payload")}
        outside = wan.tshark(f"({RTP}) && ip.src == {SITE_A.public}", "udp.srcport", "udp.payload")
        same = all(sent.get(payload) == port for port, payload in outside)
        check(bool(outside) and same, f"{len(outside)} RTP packets outside: source port and payload as inside, in every one")
        check(wan.count("ip.addr == 10.0.0.0/24") == 0, "no private address left the site")
        rules = net.run("sga", ["nft", "list", "ruleset"]).stdout
        check(" ct " not in rules, "the gateway holds no per-flow state: its rules know no connection")

    def spoof(self) -> None:
        """Phone 2 sends from a port of phone 1's block."""
        stage = self.stage
        (row,) = [row for row in stage.rows("sga", "blocks") if row["phone"] == MACS["a1"]]
        port = int(row["block"].split(":")[1].split("-")[0]) + 30
        say(f"a2 sends from port {port}, which belongs to a1:")
        spoof = f"import socket; s = socket.socket(2, 2); s.bind(('', {port})); s.sendto(b'spoof', ('198.51.100.254', 9999))"
        with Capture(stage.net, "sga", "wan0", stage.directory, "udp dst port 9999") as wan:
            stage.net.run("a2", ["python3", "-c", spoof])

            def named() -> bool:
                return any(row["id"] == "NAT_SPOOFED_PORT" for row in stage.rows("sga", "why", MACS["a2"]))

            until(named, "an event names the phone")
        check(wan.count("udp") == 0, "nothing left the site")
        ctl(stage, ("sga",), "nat")

    def crash(self) -> None:
        """The gateway process is killed in the middle of a call."""
        stage = self.stage
        say("a1 calls b3 again, and the gateway process of site A is killed with kill -9:")
        leases, blocks = stage.rows("sga", "leases"), stage.rows("sga", "blocks")
        stage.call("a1", "b3")
        stage.end("sga", signal.SIGKILL)
        before = stage.phone_state("a1")["received"]
        # The call itself is measured: what is heard in so long a time.
        time.sleep(SECOND_S)
        heard = stage.phone_state("a1")["received"] - before
        check(
            heard > 40,
            f"the call goes on in the kernel: {heard} packets received in {SECOND_S:g} s without any voxpath at the site",
        )
        stage.start("sga", "voxpath-sg")
        stage.serving("sga")
        check(stage.rows("sga", "leases") == leases, "after the restart: the same leases")
        check(stage.rows("sga", "blocks") == blocks, "after the restart: the same port blocks")
        check(stage.phone_state("a1")["lost"] == 0, "not one packet of the call was lost")
        stage.hang_up("a1", "b3")
        until(lambda: not stage.rows("mgc1", "calls"), "the call is released")

    def erlang(self) -> None:
        """An unmodified foreign gateway."""
        stage = self.stage
        say("Erlang/OTP's unmodified megaco_simple_mg registers from behind the NAPPT, in text over UDP:")
        with simple_gateway(stage, SITE_A, CONTROLLERS["mgc1"]):

            def there() -> bool:
                return any(FOREIGN_MG in row["mid"] for row in stage.rows("mgc1", "registrations"))

            until(there, "megaco_simple_mg registers")
            ctl(stage, ("mgc1",), "registrations")

    def backup(self) -> None:
        """The primary controller dies."""
        stage = self.stage
        say("MGC 1 is killed; a1 and b3 are switched off and on again:")
        stage.end("mgc1", signal.SIGKILL)
        for name in ("a1", "b3"):
            stage.end(name)
        stage.start_phones("a1", "b3")
        stage.registered("a1", "b3", at="mgc2")
        check(True, "both are registered at the backup, MGC 2")

    def ladder(self) -> None:
        """A call, and all that one phone did, in one diagram."""
        stage = self.stage
        say(f"a1 dials {NUMBERS['b3']} through MGC 2; then all that a1 did, as gateway, controller and phone saw it:")
        stage.call("a1", "b3")
        stage.hang_up("a1", "b3")
        until(lambda: not stage.rows("mgc2", "calls"), "the call is released")
        until(lambda: stage.phone_state("a1").get("signal") == "silence", "a1 is idle again")
        ctl(stage, ("sga", "mgc2", "a1"), "ladder", MACS["a1"])


def main() -> int:
    """Run the demonstration; 0 when every fact held."""
    if os.geteuid() != 0:
        print("the demonstration makes network namespaces: run it as root")
        return 1
    end_on_signals()
    with tempfile.TemporaryDirectory(prefix="voxpath-demo-") as directory:
        stage = SipStage(Path(directory), servers={**CONTROLLERS, **SIP_SERVERS})
        try:
            Demonstration(stage).run()
        except AssertionError as error:
            print(error)
            return 1
        finally:
            say("taking everything away again")
            stage.close()
    say("done: every fact above was measured on the running system")
    return 0


if __name__ == "__main__":
    sys.exit(main())
