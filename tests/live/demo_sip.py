"""The demonstration's acts with SIP: unchanged phones boot, register, and are called by redirection."""

from contextlib import ExitStack

from tests.live.capture import LAN, RTP_OCTETS, Capture, passed, rtp
from tests.live.narration import check, ctl, say, show
from tests.live.sipp import Sipp
from tests.live.sipsites import HANDSETS, SIP_SERVER, SipStage
from tests.live.sites import SITE_A, until

OUTSIDE, OUTSIDE_ADDRESS = "outside", "198.51.100.20"
SIP_PORT = 5060
BOOTED = ("a-gruu", "b-gruu", "a-shim", "b-shim", "a-plain")


class SipActs:
    """The acts, in their order; they share the stage with those before."""

    def __init__(self, stage: SipStage) -> None:
        self.stage = stage

    def run(self) -> None:
        """All acts."""
        self.boot()
        self.call(
            "b-gruu", "a-gruu", "served configuration and GRUU: the file names the public address, and the registrar the rest"
        )
        self.call("b-shim", "a-shim", "the shim: the kernel of the phone's own host swaps the addresses, so all of SIP is public")
        self.call_within()
        self.plain()
        self.outside()
        self.ladder()

    def boot(self) -> None:
        """Phones from power-up to registration."""
        stage = self.stage
        say("SIP phones, all of them stock baresip: lease, own configuration over TFTP from voxpath, registration by digest:")
        stage.boot(*BOOTED)
        one, other = (stage.phones[name].name_of_socket() for name in ("a-gruu", "b-gruu"))
        check(one.split(":")[0] == other.split(":")[0], "a-gruu at site A and b-gruu at site B have the same private address")
        say("  What a-gruu was served:")
        config = (stage.directory / "phone-a-gruu" / "config").read_text().splitlines()
        show("\n".join(line for line in config if line.startswith(("sip_listen", "net_interface", "rtp_ports"))))
        ctl(stage, (SIP_SERVER,), "bindings")

    def call(self, caller: str, callee: str, way: str) -> None:
        """A call from site to site."""
        stage = self.stage
        say(f"{caller} dials {callee} at the other site. How they show their combination address: {way}")
        places = (
            (caller, "eth0"),
            (callee, "eth0"),
            (HANDSETS[caller].site.gateway, "wan0"),
            (HANDSETS[callee].site.gateway, "wan0"),
        )
        with ExitStack() as stack:
            wires = {place: stack.enter_context(Capture(stage.net, *place, stage.directory, "udp")) for place in places}
            stage.talk(caller, callee)
            for one, other in ((caller, callee), (callee, caller)):
                say(f"  {one} hears the {HANDSETS[other].tone_hz} Hz of {other}")
            stage.phones[caller].hang_up()
            stage.phones[callee].tells("CALL_CLOSED")
        check(bool(stage.phones[callee].received("ACK") and stage.phones[callee].received("BYE")), "ACK and BYE arrived")
        for name in (caller, callee):
            handset = HANDSETS[name]
            before = passed(wires[name, "eth0"].frames(), handset.address)
            after = passed(wires[handset.site.gateway, "wan0"].frames(), stage.ports[name].public)
            sound = sum(len(each.payload) == RTP_OCTETS for each in before.elements())
            what = f"{handset.site.gateway} changed no port and no octet in {before.total()} packets, {sound} of them RTP"
            check(sound > 20 and before == after, what)
        if HANDSETS[caller].shim:
            frames = [frame for place in places for frame in wires[place].frames()]
            named = [frame for frame in frames if b"SIP/2.0" in frame.payload and str(LAN[0])[:-1].encode() in frame.payload]
            check(not named, "no SIP message names a private address, on no wire")

    def call_within(self) -> None:
        """Both phones at site A."""
        stage = self.stage
        say("a-gruu dials a-shim: both are behind SG-A, where the packets turn round")
        with Capture(stage.net, "sga", "wan0", stage.directory, "udp") as wan:
            stage.talk("a-gruu", "a-shim")
            stage.phones["a-gruu"].hang_up()
            stage.phones["a-shim"].tells("CALL_CLOSED")
        check(not rtp(wan.frames()), "both heard each other, and no RTP packet was seen outside SG-A")

    def plain(self) -> None:
        """A phone that shows only its private address."""
        stage = self.stage
        say("b-gruu dials a-plain, which shows its private address alone: such a phone needs a proxy, and the operator is told so")
        caller, plain = stage.phones["b-gruu"], stage.phones["a-plain"]
        caller.dial(f"sip:{stage.aor('a-plain')}")
        until(lambda: len(plain.answered(200, "INVITE")) > 1, "a-plain repeats its answer")
        check(not plain.received("ACK"), "a-plain repeats its 200, since the ACK went to its private address")
        caller.kill()
        plain.kill()
        ctl(stage, (SIP_SERVER,), "why", stage.aor("a-plain"))

    def outside(self) -> None:
        """A caller that belongs to no site."""
        stage = self.stage
        say("sipp, outside of both sites, asks for a-gruu, follows the 302, talks for two seconds and hangs up:")
        stage.connect(OUTSIDE, OUTSIDE_ADDRESS)
        caller = Sipp(stage.net, OUTSIDE, OUTSIDE_ADDRESS, stage.directory)
        options = ("-s", "a-gruu", "-mp", "7000", "-rtp_echo")
        outcome = caller.run("follow.xml", f"{stage.domain}:{SIP_PORT}", SIP_PORT, *options)
        show("\n".join(caller.log()))
        there = all(line.endswith(f"@{stage.at('a-gruu')}") for line in caller.log())
        check(
            outcome.done == 1 and there, f"302 and 200 name {stage.at('a-gruu')}: the public address, and a port of the phone's own"
        )

    def ladder(self) -> None:
        """All that one phone did, in one diagram."""
        say("What a-gruu did since it was switched on, as gateway and SIP server saw it:")
        ctl(self.stage, (SIP_SERVER,), "calls")
        ctl(self.stage, (SITE_A.gateway, SIP_SERVER), "ladder", HANDSETS["a-gruu"].mac)
