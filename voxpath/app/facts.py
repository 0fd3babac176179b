"""What ``voxpath ctl`` can ask of this process, and have it do."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from ipaddress import IPv4Address
from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred
from twisted.internet.task import Cooperator

from voxpath import __version__
from voxpath.app import values, values_sip
from voxpath.app.check import machine_for, missed
from voxpath.app.orders import pool_rows, scope_rows
from voxpath.app.reboot import reboot
from voxpath.app.role import Role
from voxpath.dhcp.keeping import Keeping
from voxpath.dhcp.question import Finding, Question
from voxpath.io.uploads import Uploaded
from voxpath.manage.facts import CommandError, NatFacts, NatProbe, NoFacts, Some, UserFacts
from voxpath.manage.rows import CallRow, ContactRow, CounterRow, FileRow, PhoneRow, PoolRow, RoleRow, ScopeRow, UploadRow, when
from voxpath.model.address import Mac
from voxpath.model.phone import Adoption, Lease
from voxpath.model.ports import PortBinding, PortBlock
from voxpath.model.registration import Registration

if TYPE_CHECKING:
    from voxpath.app.assembly import Process
    from voxpath.app.files import FileRole
    from voxpath.app.gateway import GatewayRole
    from voxpath.app.phones import PhonesRole
    from voxpath.app.redundancy import Redundancy
    from voxpath.app.sip import SipRole
    from voxpath.megaco.mgc import Controller


class ProcessFacts(NoFacts):
    """Facts of the roles that this process has; the others answer that they are not here."""

    def __init__(self, process: "Process") -> None:
        self._process = process
        self._node = process.node
        self._began = self._node.clock.now()
        self._users = values_sip.users(self._node.config)

    def now(self) -> float:
        """The server's clock."""
        return self._node.clock.now()

    def status(self) -> Iterable[tuple[str, str]]:
        """What this process is, and which parts that its configuration asks for are off."""
        config = self._node.config
        yield "name", config.name
        yield "version", __version__
        yield "started", when(self._began)
        yield "state", config.state
        yield "roles", ", ".join(role.role for role in self._process.roles)
        if self._node.memory.forgotten:
            yield "forgotten", f"the records of {self._node.memory.forgotten} phones, for want of room"
        if self._process.gateway is not None and self._process.gateway.ready:
            for line in self._process.gateway.lost_links.values():
                yield "interface", line
            for pool in self._process.gateway.ledger.usage(self.now()):
                yield "pool", str(pool)
            yield from self._process.gateway.verified()
        files = self._process.files
        if files is not None and files.uploads is not None and files.uploads.room.summary:
            yield "uploads", files.uploads.room.summary
        if self._process.phones is None:
            for what in missed(config, machine_for(config)):
                yield "off", what

    def roles(self) -> Iterable[RoleRow]:
        """The roles, with their faults."""
        return [self._role(role) for role in self._process.roles]

    def decides(self, verb: str) -> None:
        """A standby hears no phone and has decided nothing."""
        self._refuse_as_standby(verb)

    def leases(self) -> Iterable[Lease]:
        """All leases; a standby tells those of its copy."""
        if self._is_standby:
            return self._node.store.load(Lease)
        return self._gateway("leases").server.leases()

    def keeping(self, lease: Lease) -> Keeping:
        """Whether a phone whose lease has ended gets its address again."""
        return self._gateway("why").server.keeping(lease)

    def blocks(self) -> Iterable[PortBinding]:
        """The ledger's rows; a standby tells those of its copy."""
        if self._is_standby:
            return self._node.store.load(PortBinding)
        return self._gateway("blocks").ledger.bindings()

    def gives(self, row: PortBinding) -> bool:
        """Whether a phone could get this block again."""
        return self._gateway("why").ledger.gives(row)

    def names(self) -> Mapping[str, Collection[str]]:
        """What the configuration names."""
        config = self._node.config
        return {
            "scope": [scope.name for scope in config.scopes],
            "class": [entry.name for entry in config.classes],
            "realm": [realm.name for realm in config.realms],
            "public": [str(pool.public) for pool in config.pools],
        }

    def fixed_blocks(self) -> Mapping[str, PortBlock]:
        """The blocks of ``[[block]]``."""
        return values.fixed_blocks(self._node.config)

    def nat(self) -> NatFacts:
        """The NAT back end."""
        gateway = self._gateway("nat")
        chosen = gateway.selection
        return NatFacts(
            backend=chosen.name,
            reason=chosen.reason,
            kernel=chosen.nat.capabilities().kernel,
            generation=chosen.nat.generation(),
            ledger=gateway.ledger.generation,
            drops=chosen.nat.drops(),
            mode=self._node.config.nat.mode,
            mappings=chosen.nat.mapping_count(),
            pinholes=len(chosen.nat.pinholes()),
            probes=tuple(NatProbe(able.name, able.usable, able.reason) for able in gateway.probes()),
        )

    def counters(self, phone: str = "") -> Iterable[CounterRow]:
        """Packets and octets of each phone that holds a block."""
        gateway = self._gateway("counters")
        return self._counters(gateway, [row for row in gateway.ledger.bindings() if phone in {"", row.holder}])

    def _counters(self, gateway: "GatewayRole", bindings: Iterable[PortBinding]) -> Iterator[CounterRow]:
        for binding in bindings:
            if binding.mapping is not None:
                counted = gateway.selection.nat.counters(binding.mapping.private)
                numbers = (counted.out_packets, counted.out_octets, counted.in_packets, counted.in_octets)
                drops = (_reasons(counted.out_drops), _reasons(counted.in_drops))
                yield CounterRow(binding.holder, str(binding.mapping.private), *numbers, *drops)

    def gather(self, items: "Iterable[Some | None]") -> "Deferred[list[Some]]":
        """Take items for at most some 10 ms in one turn of the reactor."""
        found: list[Some] = []
        reactor = self._node.reactor
        turns = Cooperator(scheduler=lambda turn: reactor.callLater(0, turn))

        def each() -> Iterator[None]:
            for item in items:
                if item is not None:
                    found.append(item)
                yield

        return turns.coiterate(each()).addCallback(lambda _: found)

    def explain(self, question: Question) -> Iterable[Finding]:
        """What a DISCOVER would lead to."""
        gateway = self._gateway("explain")
        if gateway.off:
            raise CommandError("explain", f"{gateway.off}: no phone hears an answer", "see status for what is off")
        return gateway.serving().explain(question)

    def unheard(self, phone: str) -> Iterable[str]:
        """Why a phone cannot be heard at the moment."""
        return self._process.gateway.unheard(phone) if self._process.gateway is not None else ()

    def adopted(self) -> Iterable[Adoption]:
        """The adopted Ethernet addresses; a standby tells those of its copy."""
        if self._is_standby:
            return sorted(self._node.store.load(Adoption), key=lambda adoption: adoption.since)
        return self._gateway("adopted").serving().adopted()

    def adopt(self, mac: Mac) -> "Deferred[str]":
        """Serve an Ethernet address from now on."""
        return self._gateway("adopt").serving().adopt(mac)

    def disown(self, mac: Mac) -> "Deferred[str]":
        """Take an adoption back."""
        return self._gateway("disown").serving().disown(mac)

    def scopes(self) -> Iterable[ScopeRow]:
        """How full the scopes are."""
        return scope_rows(self._gateway("scopes").server, self.now())

    def pools(self) -> Iterable[PoolRow]:
        """How full the pools are."""
        return pool_rows(self._gateway("pools").server, self.now())

    def release(self, phone: str) -> "Deferred[str]":
        """Take lease and block away from a phone."""
        return self._gateway("release").orders().release(phone)

    def end_probation(self, address: IPv4Address) -> "Deferred[str]":
        """Let an address be given again."""
        return self._gateway("release").orders().end_probation(address)

    def move(self, phone: str, public: IPv4Address, first: int | None) -> "Deferred[str]":
        """Give a phone another block."""
        return self._gateway("move").orders().move(phone, public, first)

    def reserve(self, phone: str, block: PortBlock | None) -> "Deferred[str]":
        """Keep a block for a phone for ever."""
        return self._gateway("reserve").orders().reserve(phone, block)

    def unreserve(self, phone: str) -> "Deferred[str]":
        """End a reservation."""
        return self._gateway("unreserve").orders().unreserve(phone)

    def reboot(self, phone: str) -> "Deferred[list[tuple[str, str]]]":
        """Have a phone boot anew: by SIP where it is registered, or else, or when it refuses that, by DHCP."""
        self._refuse_as_standby("reboot")
        process = self._process
        recall = None if process.gateway is None else lambda phone: self._gateway("reboot").orders().recall(phone)
        return Deferred.fromCoroutine(reboot(phone, process.sip, recall))

    def standby(self) -> Iterable[tuple[str, str]]:
        """How the pair of this host and its peer stands."""
        return self._redundancy().facts()

    def sync_standby(self) -> "Deferred[None]":
        """Compare and copy all files now."""
        return self._redundancy().sync()

    def registrations(self) -> Iterable[Registration]:
        """Registered media gateways."""
        return self._controller("registrations").registrations()

    def calls(self) -> Iterable[CallRow]:
        """Calls under way, and the last ones that were redirected."""
        self._refuse_as_standby("calls")
        process = self._process
        if process.controller is None and process.sip is None:
            return super().calls()
        controlled = self._controlled() if process.controller is not None else ()
        return [*controlled, *(self._sip("calls").calls() if process.sip is not None else ())]

    def _controlled(self) -> Iterable[CallRow]:
        return [
            CallRow(
                phone=call.caller,
                peer=call.callee,
                number=call.digits,
                state=call.phase,
                path="private" if call.private else "public",
                media=call.caller_media,
                peer_media=call.callee_media,
                since=when(call.began),
                reason=call.reason,
            )
            for call in self._controller("calls").calls()
        ]

    def contacts(self, identity: str = "") -> Iterable[ContactRow]:
        """SIP bindings."""
        return self._sip("bindings").contacts(identity)

    def aors(self) -> Iterable[str]:
        """Users of the configuration, and of the bindings."""
        yield from self._users
        if self._process.sip is not None:
            yield from self._process.sip.aors()

    def phones_of(self, aor: str) -> tuple[str, ...]:
        """The configuration's phones are known without a SIP server, too: a gateway serves their files."""
        bound = self._process.sip.phones_of(aor) if self._process.sip is not None else ()
        user = self._users.get(aor)
        return (*bound, *((user.phone,) if user is not None and user.phone else ()))

    def user(self, aor: str) -> UserFacts | None:
        """What is known of a SIP user."""
        return self._process.sip.user(aor) if self._process.sip is not None else None

    def uploads(self) -> "Deferred[list[UploadRow]]":
        """The files in the drop boxes."""
        files = self._process.files
        if files is None:
            return super().uploads()
        if files.uploads is None:
            raise CommandError("uploads", "no phone may write here", "set tftp.uploads, or see roles for the file server's trouble")

        def named(found: "list[Uploaded]") -> list[UploadRow]:
            return [UploadRow(_phone(file.box), file.name, file.octets, when(file.at)) for file in found]

        return files.uploads.files().addCallback(named)

    def files(self, phone: str) -> Iterable[FileRow]:
        """The files that a phone would be given."""
        files = self._rendering("files")
        return super().files(phone) if files is None else files.rows(phone)

    def render(self, phone: str, name: str, secrets: bool) -> str:
        """The text of a phone's file."""
        files = self._rendering("render")
        return super().render(phone, name, secrets) if files is None else files.text(phone, name, secrets)

    def phones(self) -> Iterable[PhoneRow]:
        """The software phones."""
        return self._phones("phones").rows()

    def off_hook(self, phone: str, line: int) -> None:
        """Lift a handset."""
        self._phones("off-hook").act(phone, "off-hook", line, lambda core, now: core.off_hook(line, now))

    def dial(self, phone: str, line: int, digits: str) -> None:
        """Dial."""
        self._phones("dial").act(phone, "dial", line, lambda core, now: core.dial(line, digits, now))

    def on_hook(self, phone: str, line: int) -> None:
        """Put a handset down."""
        self._phones("on-hook").act(phone, "on-hook", line, lambda core, now: core.on_hook(line, now))

    def _role(self, role: Role) -> RoleRow:
        faults = [driver.faults for driver in self._node.drivers.get(role.role, ())]
        silent = {**role.silent(), "its source is in quarantine": sum(each.ignored for each in faults)}
        counted = (f"{count} times: {reason}" for reason, count in silent.items() if count)
        return RoleRow(
            role=role.role,
            state=role.state.value,
            faults=sum(each.count for each in faults),
            malformed=sum(each.malformed for each in faults),
            restarts=role.restarts,
            detail="; ".join(filter(None, (role.trouble or role.detail, *counted))),
        )

    @property
    def _is_standby(self) -> bool:
        return self._node.config.redundancy.role == "standby"

    def _redundancy(self) -> "Redundancy":
        role = self._process.redundancy
        if role is None:
            raise CommandError(
                "standby", "this host has no standby and is none", 'see the section "redundancy" of the configuration'
            )
        return role

    def _rendering(self, verb: str) -> "FileRole | None":
        self._refuse_as_standby(verb)
        return self._process.files

    def _refuse_as_standby(self, verb: str) -> None:
        """A standby has leases, blocks, adoptions and uploads to show, and nothing else; neither has it anything to decide."""
        if self._is_standby:
            peer = self._node.config.redundancy.peer
            raise CommandError(verb, f"this host is the standby of {peer}", f"ask {peer} on its own control socket")

    def _gateway(self, verb: str) -> "GatewayRole":
        self._refuse_as_standby(verb)
        gateway = self._process.gateway
        if gateway is None:
            raise CommandError(verb, "this process runs no service gateway", "ask another process by --socket")
        if not gateway.ready:
            raise CommandError(verb, "the service gateway is not running", "see roles and events for the reason")
        return gateway

    def _controller(self, verb: str) -> "Controller":
        self._refuse_as_standby(verb)
        role = self._process.controller
        if role is None:
            raise CommandError(verb, "this process runs no media gateway controller", "ask another process by --socket")
        if role.core is None:
            raise CommandError(verb, "the media gateway controller is not running", "see roles and events for the reason")
        return role.core

    def _sip(self, verb: str) -> "SipRole":
        self._refuse_as_standby(verb)
        role = self._process.sip
        if role is None:
            raise CommandError(verb, "this process runs no SIP server", "ask another process by --socket")
        if role.core is None:
            raise CommandError(verb, "the SIP server is not running", "see roles and events for the reason")
        return role

    def _phones(self, verb: str) -> "PhonesRole":
        if self._process.phones is None:
            raise CommandError(verb, "this process runs no software phone", "ask another process by --socket")
        return self._process.phones


def _reasons(drops: Mapping[str, int]) -> str:
    return " ".join(f"{reason}={packets}" for reason, packets in sorted(drops.items()) if packets)


def _phone(box: str) -> str:
    """The phone of a drop box; what is none keeps its name."""
    try:
        return str(Mac(bytes.fromhex(box)))
    except ValueError:
        return box
