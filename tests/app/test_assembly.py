"""A whole process in this one, on loopback and without root: it starts, answers, restarts a role and stops."""

import os
import socket
from collections.abc import Callable, Sequence
from functools import partial
from ipaddress import IPv4Address
from itertools import count
from pathlib import Path

import pytest
from trustme import CA
from twisted.internet import reactor
from twisted.internet.task import deferLater

from tests.app.tlsfiles import write_tls
from voxpath.app.assembly import Process, make_service
from voxpath.app.decode import decode
from voxpath.app.facts import ProcessFacts
from voxpath.app.node import Node
from voxpath.app.options import Options
from voxpath.app.parts import Part
from voxpath.app.role import FAULTS, RoleState
from voxpath.core.effects import Connect, Disconnect
from voxpath.dhcp.question import Question
from voxpath.manage.commands import COMMANDS, Console
from voxpath.manage.facts import CommandError
from voxpath.model.address import Mac
from voxpath.model.media import MediaEnd, MediaSession
from voxpath.model.ports import Mapping, PortBinding, Transaction
from voxpath.natreactor import leftover
from voxpath.natreactor.event import TableLeft

BOTH = (Part.GATEWAY, Part.CONTROLLER)
OWN_ADDRESS = """
[[realm]]
name = "lab"
private = ["10.0.0.0/24"]
public = ["HOST"]
[[pool]]
public = "HOST"
ports = [2048, 8191]
realm = "lab"
[[ports.service]]
name = "sip"
public = "HOST"
port = 5060
"""

places = count(1)


def process(state: Path, text: str = "", tftp: str = "HOST:6969", templates: str = "", parts: Sequence[Part] = BOTH) -> Process:
    """Every process has an address of its own on loopback, so that runs side by side do not meet."""
    host = f"127.{os.getpid() % 250}.{os.getpid() // 250 % 250}.{next(places)}"
    files = f'[tftp]\nlisten = ["{tftp}"]\ntemplates = "{templates}"\n'
    whole = f'state = "{state}"\n{files}[mgc]\nlisten = ["HOST:2944"]\n[sip]\nlisten = ["HOST:5060"]\n' + text
    config, problems = decode(whole.replace("HOST", host).encode())
    assert config is not None, problems
    return Process(Node.make(config, reactor), parts)


async def until(condition: Callable[[], bool]) -> None:
    while not condition():
        await deferLater(reactor, 0.005)


def running(made: Process) -> bool:
    return all(role.state is RoleState.RUNNING for role in made.roles)


async def test_all_roles_start_and_stop_and_leave_nothing_open(tmp_path: Path) -> None:
    before = set(reactor.getReaders())
    made = process(tmp_path)
    made.startService()
    await until(lambda: running(made))
    facts = ProcessFacts(made)
    assert [row.role for row in facts.roles()] == ["dhcp", "tftp", "mgc"]
    assert list(facts.leases()) == list(facts.blocks()) == list(facts.registrations()) == list(facts.calls()) == []
    nat = facts.nat()
    assert (nat.backend, nat.mode, nat.mappings, nat.pinholes) == ("memory", "open", 0, 0)
    assert {probe.backend: probe.usable for probe in nat.probes}["memory"]
    assert len(nat.probes) > 1
    assert all(probe.reason for probe in nat.probes)
    with pytest.raises(CommandError, match="no software phone"):
        facts.phones()
    await made.stopService()
    assert set(reactor.getReaders()) == before
    assert not (tmp_path / "control.sock").exists()


async def test_a_gateway_that_nobody_tells_of_calls_says_that_no_media_comes_in(tmp_path: Path) -> None:
    """FWL-4: in the call-aware mode somebody has to; a controller in the same process does."""
    for name, parts, off in (("alone", (Part.GATEWAY,), True), ("both", BOTH, False)):
        made = process(tmp_path / name, '[nat]\nmode = "call-aware"\n', parts=parts)
        told: list[str] = []
        made.node.bus.subscribe(lambda record, told=told: told.append(record.event.text))
        made.startService()
        await until(partial(running, made))
        assert any(text.startswith("media: off, since nat.mode") for text in told) is off
        await made.stopService()


async def test_a_call_of_the_controller_opens_its_ports_in_the_gateway_beside_it(tmp_path: Path) -> None:
    public, private = IPv4Address("203.0.113.1"), IPv4Address("10.0.0.11")
    made = process(tmp_path, OWN_ADDRESS.replace("HOST", str(public)) + '[nat]\nmode = "call-aware"\n')
    made.startService()
    await until(partial(running, made))
    assert made.gateway is not None
    granted = made.gateway.ledger.grant("02:00:00:00:0a:01", 64, private, "lab", 0.0)
    made.gateway.ledger.settle(granted)
    block = made.gateway.ledger.bindings()[-1].block
    nat = made.gateway.selection.nat
    await nat.apply(Transaction(9, (Mapping(private, block),)))
    end = MediaEnd("02:00:00:00:0a:01", public, (block.first,), private)
    [driver] = made.node.drivers["mgc"]
    driver.run([Connect(MediaSession("1", end, MediaEnd("far", IPv4Address("198.51.100.2"), (4000,))))])
    assert [pinhole.port for pinhole in nat.pinholes()] == [block.first]
    driver.run([Disconnect("1")])
    assert nat.pinholes() == set()
    await made.stopService()


async def test_all_roles_start_with_a_template_that_makes_no_file_and_say_so(tmp_path: Path) -> None:
    """TFT-9: a phone's file is missing then, and not its address."""
    (tmp_path / "templates" / "yealink").mkdir(parents=True)
    (tmp_path / "templates" / "yealink" / "common.cfg").write_text("{{ nosuch }}\n")
    made = process(tmp_path, templates="templates")
    told: list[str] = []
    made.node.bus.subscribe(lambda record: told.append(record.event.text))
    made.startService()
    await until(lambda: running(made))
    assert [text for text in told if "yealink/common.cfg line 1: 'nosuch' is undefined" in text]
    await made.stopService()


async def test_the_gateways_own_ports_are_entries_of_the_ledger(tmp_path: Path) -> None:
    """Service ports and the ephemeral range of an address that is the machine's own: no phone can get them."""
    for _ in range(2):
        made = process(tmp_path, OWN_ADDRESS)
        made.startService()
        await until(lambda made=made: running(made))
        assert made.gateway is not None
        holders = {row.holder for row in made.gateway.ledger.bindings()}
        assert "service:sip" in holders
        own = [row.block for row in made.gateway.ledger.bindings() if row.holder.startswith("gateway:")]
        first, last = map(int, Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split())
        assert sum(block.size for block in own if block.public == own[-1].public) >= last - first + 1
        assert {row.holder for row in made.node.store.load(PortBinding)} == holders
        await made.stopService()


async def test_a_role_that_fails_too_often_restarts_alone_with_what_is_stored(tmp_path: Path) -> None:
    made = process(tmp_path, OWN_ADDRESS)
    made.startService()
    await until(lambda: running(made))
    assert made.gateway is not None
    ledger = made.gateway.ledger
    rows = set(ledger.bindings())
    for _ in range(FAULTS):
        made.gateway.fault()
    await until(lambda: made.gateway is not None and made.gateway.restarts == 1 and running(made))
    assert made.gateway.ledger is not ledger
    assert set(made.gateway.ledger.bindings()) == rows
    assert [role.restarts for role in made.roles] == [1, 0, 0]
    await made.stopService()


async def test_a_port_in_use_fails_its_role_alone_and_is_tried_again(tmp_path: Path) -> None:
    first = process(tmp_path / "first")
    first.startService()
    await until(lambda: running(first))
    taken = first.node.config.tftp.listen[0]
    second = process(tmp_path / "second", tftp=str(taken))
    second.startService()
    await until(lambda: [role.state for role in second.roles] == [RoleState.RUNNING, RoleState.PAUSED, RoleState.RUNNING])
    await first.stopService()
    await until(lambda: running(second))
    await second.stopService()


async def test_an_unknown_phone_cannot_be_released(tmp_path: Path) -> None:
    made = process(tmp_path)
    made.startService()
    await until(lambda: running(made))
    with pytest.raises(CommandError, match="holds no lease"):
        ProcessFacts(made).release("02:00:00:00:00:01")
    await made.stopService()


def test_a_wrong_configuration_is_told_line_by_line(tmp_path: Path) -> None:
    file = tmp_path / "wrong.toml"
    file.write_text('[tftp]\nblksize_max = 1\nlisten = ["nowhere"]\n[dpch]\n')
    options = Options()
    options.parseOptions(["--config", str(file)])
    with pytest.raises(SystemExit) as raised:
        make_service(BOTH, options)
    lines = str(raised.value).splitlines()
    assert len(lines) == 3
    assert all(line.startswith(f"{file}: ") for line in lines)


def test_a_state_directory_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file")
    file = tmp_path / "config.toml"
    file.write_text(f'state = "{tmp_path}/state"\n')
    options = Options()
    options.parseOptions(["--config", str(file)])
    with pytest.raises(SystemExit, match="state"):
        make_service(BOTH, options)


def test_phones_need_an_interface_or_a_static_address(tmp_path: Path) -> None:
    file = tmp_path / "phone.toml"
    file.write_text(f'state = "{tmp_path}"\n')
    options = Options()
    options.parseOptions(["--config", str(file)])
    with pytest.raises(SystemExit, match=r"phone\.interface"):
        make_service((Part.PHONES,), options)


@pytest.mark.parametrize(
    ("mode", "regular", "extra", "words"),
    [
        (0o777, False, "", "every user of this machine may write"),
        (0o777, False, "[control]\nenabled = false", "every user of this machine may write"),
        (0o770, False, "", "others may write into"),
        (0o700, True, "", "is no socket; remove it"),
    ],
)
def test_a_place_that_is_no_place_for_a_control_socket_is_told_before_the_start(
    tmp_path: Path, mode: int, regular: bool, extra: str, words: str
) -> None:
    """Found while starting, it would be a traceback."""
    state = tmp_path / "state"
    state.mkdir()
    state.chmod(mode)
    if regular:
        (state / "control.sock").write_text("precious")
    file = tmp_path / "config.toml"
    file.write_text(f'state = "{state}"\n{extra}\n')
    options = Options()
    options.parseOptions(["--config", str(file)])
    with pytest.raises(SystemExit) as raised:
        make_service(BOTH, options)
    (line,) = str(raised.value).splitlines()
    assert words in line


def test_a_control_socket_that_another_process_listens_on_is_told_in_one_line(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text(f'state = "{tmp_path}/state"\n[control]\nsocket = "{tmp_path}/control.sock"\n')
    options = Options()
    options.parseOptions(["--config", str(file)])
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(tmp_path / "control.sock"))
        other.listen()
        with pytest.raises(SystemExit, match="another process listens on"):
            make_service(BOTH, options)


@pytest.mark.parametrize("backend", ["auto", "memory"])
async def test_a_standby_tells_of_the_kernel_table_that_is_left_of_its_time_as_the_active_host(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, backend: str
) -> None:
    """It changes nothing about it; as long as it is there it is shown."""
    left: list[int | None] = [7]
    monkeypatch.setattr(leftover, "generation_left", lambda table: left[0] if table == "voxpath" else None)
    pair = f'[redundancy]\nrole = "standby"\npeer = "sg-a"\naddress = "HOST:2947"\n[nat]\nbackend = "{backend}"\n'
    made = process(tmp_path, write_tls(tmp_path, CA(), "sg-b") + pair)
    told: list[TableLeft] = []
    made.node.bus.subscribe(lambda record: told.append(record.event) if isinstance(record.event, TableLeft) else None)
    made.startService()
    await until(lambda: running(made))
    assert made.redundancy is not None
    facts = dict(made.redundancy.facts())
    if backend == "memory":
        assert told == []
        assert "NAT" not in facts
    else:
        assert [(event.table, event.generation) for event in told] == [("voxpath", 7)]
        assert facts["NAT"].endswith("remove it: python -m voxpath.natreactor.withdraw voxpath")
        left[0] = None
        assert "NAT" not in dict(made.redundancy.facts()), "the operator has removed it"
    await made.stopService()


@pytest.mark.parametrize("outside", ['"eth0"', ""])
async def test_a_gateway_that_translates_in_memory_only_tells_of_a_kernel_table_that_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, outside: str
) -> None:
    """That one goes on translating, by leases of another day; where there never was an outside nothing is looked for."""
    monkeypatch.setattr(leftover, "generation_left", lambda table: 7 if table == "voxpath" else None)
    made = process(tmp_path, f'[nat]\nbackend = "memory"\ninside = ["eth1"]\noutside = [{outside}]\n')
    told: list[str] = []
    made.node.bus.subscribe(lambda record: told.append(record.event.text) if isinstance(record.event, TableLeft) else None)
    made.startService()
    await until(lambda: running(made))
    await made.stopService()
    assert [text.rpartition(": ")[2] for text in told] == ["python -m voxpath.natreactor.withdraw voxpath eth1"] * bool(outside)


async def test_a_standby_shows_what_it_has_a_copy_of_and_says_where_to_ask_for_the_rest(tmp_path: Path) -> None:
    """DHC-19: nothing is answered as if this host gave out leases itself."""
    pair = '[redundancy]\nrole = "standby"\npeer = "sg-a"\naddress = "HOST:2947"\n'
    made = process(tmp_path, pair)
    facts = ProcessFacts(made)
    assert list(facts.leases()) == list(facts.blocks()) == list(facts.adopted()) == []
    mac = Mac.parse("02:00:00:00:0a:01")
    asked: list[Callable[[], object]] = [
        facts.pools, facts.scopes, facts.nat, facts.registrations, facts.contacts, facts.calls,
        lambda: list(facts.counters()), lambda: facts.adopt(mac), lambda: facts.explain(Question(mac)),
        lambda: facts.files(str(mac)), lambda: facts.render(str(mac), "x", False), lambda: facts.reboot(str(mac)),
        lambda: facts.release(str(mac)),
        *(partial(COMMANDS[verb].run, Console(facts, made.node.memory), [str(mac)]) for verb in ("why", "ladder")),
    ]  # fmt: skip
    for question in asked:
        with pytest.raises(CommandError, match="this host is the standby of sg-a; ask sg-a on its own control socket"):
            question()
    assert facts.user("a1@voip.example") is None
    await made.node.close()
