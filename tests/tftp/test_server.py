from itertools import pairwise
from random import Random
from typing import Any, TypeGuard

import pytest

from voxpath.core.effects import Ask, Burst, Close, Datagram, Direct, Done, Effects, Emit, Failed, Open, Send
from voxpath.core.errors import RemoteError
from voxpath.model.address import Endpoint
from voxpath.model.event import Event, Malformed, MessageEvent
from voxpath.tftp.content import ContentLost, Octets
from voxpath.tftp.event import TftpAborted, TftpDropped, TftpRefused, TftpServed, TftpStray
from voxpath.tftp.machine import ASKED_AGAIN
from voxpath.tftp.message import Ack, Data, Error, Message, OptionAck, ReadRequest, WriteRequest
from voxpath.tftp.question import Admit, Admitted, Fetch, Keep, Kept, Refused
from voxpath.tftp.sending import PAUSE_S
from voxpath.tftp.server import TftpServer
from voxpath.tftp.session import OPENINGS, WRITES_PER_PHONE, TftpSettings
from voxpath.tftp.wire import parse, write

SERVER = "10.0.0.1"
CLIENT = Endpoint("10.0.0.11", 2050)
PHONE, VICTIM = "02:00:00:00:0a:01", "02:00:00:00:0a:02"


class House:
    """One phone lives at the client's address."""

    def phone_at(self, address: str, port: int) -> str:
        return PHONE if address == CLIENT.host else ""


def server(**settings: Any) -> TftpServer:
    return TftpServer(House(), Random(1), TftpSettings(**settings))


def say(core: TftpServer, message: Message, port: str = "tftp", source: Endpoint = CLIENT, now: float = 0.0) -> list[object]:
    return list(core.receive(Datagram(write(message), source, SERVER, "lan0", port), now))


def begin(
    core: TftpServer, request: ReadRequest, content: bytes, now: float = 0.0, source: Endpoint = CLIENT
) -> tuple[str, list[object]]:
    """Ask for a file and have it found; the name of the transfer's port and what happened."""
    token = next(effect.token for effect in say(core, request, source=source, now=now) if isinstance(effect, Ask))
    assert isinstance(token, str)
    return token, list(core.resolve(token, Done(content), now))


def sends(effects: Effects | list[object]) -> list[Message]:
    payloads = [(effect.payload,) if isinstance(effect, Send) else effect.payloads for effect in effects if _is_sent(effect)]
    return [parse(payload) for together in payloads for payload in together]


def _is_sent(effect: object) -> TypeGuard[Send | Burst]:
    return isinstance(effect, Send | Burst)


def events(effects: Effects | list[object], kind: type[Event]) -> list[Event]:
    return [effect.event for effect in effects if isinstance(effect, Emit) and isinstance(effect.event, kind)]


def test_a_request_asks_for_the_file_in_the_clients_name() -> None:
    asked = [effect for effect in say(server(), ReadRequest("vox.img")) if isinstance(effect, Ask)]
    assert asked == [Ask(Fetch("vox.img", CLIENT), "t1")]


def test_a_transfer_has_its_own_port_at_the_address_that_was_asked() -> None:
    port, effects = begin(server(), ReadRequest("vox.img"), b"image")
    assert effects[0] == Open(port, Endpoint(SERVER, 0))
    assert effects[1] == Send(write(Data(1, b"image")), CLIENT, port)


def test_a_file_is_served_to_its_end() -> None:
    core = server()
    content = Random(3).randbytes(1500)
    port, effects = begin(core, ReadRequest("vox.img", "octet", (("blksize", "1000"), ("tsize", "0"))), content)
    assert sends(effects) == [OptionAck((("blksize", "1000"), ("tsize", "1500")))]
    assert sends(say(core, Ack(0), port)) == [Data(1, content[:1000])]
    assert sends(say(core, Ack(1), port)) == [Data(2, content[1000:])]
    last = say(core, Ack(2), port, now=0.5)
    (served,) = events(last, TftpServed)
    assert isinstance(served, TftpServed)
    assert (served.phone, served.octets, served.blocks, served.repeated, served.duration_s) == (PHONE, 1500, 2, 0, 0.5)
    assert last[-1] == Close(port)
    assert core.transfers == 0
    assert core.next_due() is None


def test_the_ladder_shows_request_oack_first_data_and_last_ack_only() -> None:
    core = server()
    told = list(say(core, ReadRequest("f", "octet", (("tsize", "0"),))))
    told += core.resolve("t1", Done(bytes(2000)), 0.0)
    for block in range(5):
        told += say(core, Ack(block), "t1")
    arrows = [
        (event.sender, event.receiver, event.summary) for event in events(told, MessageEvent) if isinstance(event, MessageEvent)
    ]
    assert arrows == [
        (PHONE, "tftp", "RRQ f octet tsize=0"),
        ("tftp", PHONE, "OACK tsize=2000"),
        ("tftp", PHONE, "DATA 1 (512 octets)"),
        (PHONE, "tftp", "ACK 4"),
    ]


def test_a_repeated_request_starts_no_second_transfer() -> None:
    core = server()
    begin(core, ReadRequest("f"), b"x")
    again = say(core, ReadRequest("f"))
    assert not [effect for effect in again if isinstance(effect, Ask | Open | Send)]
    assert core.transfers == 1


def test_another_request_from_the_same_port_replaces_the_first() -> None:
    core = server()
    port, _ = begin(core, ReadRequest("f"), bytes(600))
    effects = say(core, ReadRequest("g"))
    assert Close(port) in effects
    assert Ask(Fetch("g", CLIENT), "t2") in effects
    assert events(effects, TftpAborted)


def test_a_file_that_is_not_there_is_error_1_from_the_request_port() -> None:
    core = server()
    say(core, ReadRequest("none"))
    effects = list(core.resolve("t1", Done(Refused(1, "no such file")), 0.0))
    assert effects[0] == Send(write(Error(1, "no such file")), CLIENT, "tftp", SERVER)
    (refused,) = events(effects, TftpRefused)
    assert isinstance(refused, TftpRefused)
    assert (refused.phone, refused.name, refused.code) == (PHONE, "none", 1)
    assert core.transfers == 0


def test_a_write_is_error_2() -> None:
    (error,) = sends(say(server(), WriteRequest("log")))
    assert isinstance(error, Error)
    assert error.code == 2


@pytest.mark.parametrize("message", [Data(1, b""), OptionAck(()), ReadRequest("f", "mail")])
def test_what_is_no_read_request_is_error_4(message: Message) -> None:
    (error,) = sends(say(server(), message))
    assert isinstance(error, Error)
    assert error.code == 4


def test_rubbish_is_error_4_and_counted() -> None:
    effects = list(server().receive(Datagram(b"\0\x09rubbish", CLIENT, SERVER, "", "tftp"), 0.0))
    (error,) = sends(effects)
    assert isinstance(error, Error)
    assert error.code == 4
    assert events(effects, Malformed)


@pytest.mark.parametrize("message", [Error(4, "you too"), Ack(1)])
def test_an_error_and_its_acknowledgement_are_never_answered(message: Message) -> None:
    """tftp-hpa sends an ACK after an ERROR, to the port that the ERROR came from."""
    assert sends(say(server(), message)) == []


def test_bad_options_are_error_8() -> None:
    _, effects = begin(server(), ReadRequest("f", "octet", (("blksize", "3"),)), b"x")
    (error,) = sends(effects)
    assert isinstance(error, Error)
    assert error.code == 8


def test_netascii_is_converted() -> None:
    _, effects = begin(server(), ReadRequest("f", "netascii"), b"a\nb\n")
    assert sends(effects) == [Data(1, b"a\r\nb\r\n")]


def test_a_stray_packet_is_error_5_and_the_transfer_goes_on() -> None:
    core = server()
    port, _ = begin(core, ReadRequest("f"), bytes(600))
    stranger = Endpoint("10.0.0.99", 7)
    effects = say(core, Ack(1), port, stranger)
    (sent,) = [effect for effect in effects if isinstance(effect, Send)]
    assert (sent.destination, sent.port) == (stranger, port)
    assert sends(effects) == [Error(5, "this transfer is not yours")]
    assert events(effects, TftpStray)
    assert not events(say(core, Ack(1), port, stranger), TftpStray)
    assert sends(say(core, Error(0, "x"), port, stranger)) == []
    assert sends(say(core, Ack(1), port)) == [Data(2, bytes(88))]


def test_a_malformed_packet_does_not_end_a_transfer() -> None:
    core = server()
    port, _ = begin(core, ReadRequest("f"), bytes(600))
    with pytest.raises(RemoteError):
        core.receive(Datagram(b"\0", CLIENT, SERVER, "", port), 0.0)
    assert core.transfers == 1


def test_a_full_table_drops_the_request_and_says_so() -> None:
    core = server(transfers=1)
    begin(core, ReadRequest("f"), b"x")
    effects = say(core, ReadRequest("f"), source=Endpoint("10.0.0.12", 9))
    assert sends(effects) == []
    (dropped,) = events(effects, TftpDropped)
    assert "has to ask again: " in dropped.text
    assert core.dropped == 1


def test_a_full_table_makes_room_for_who_comes_if_somebody_never_answered() -> None:
    core = server(transfers=2)
    port, _ = begin(core, ReadRequest("f"), bytes(2000))
    say(core, Ack(1), port)
    silent = Endpoint("10.0.0.12", 9)
    begin(core, ReadRequest("f"), bytes(2000), source=silent)
    effects = say(core, ReadRequest("f"), source=Endpoint("10.0.0.13", 9), now=2.0)
    (aborted,) = events(effects, TftpAborted)
    assert "has not answered" in aborted.text
    assert any(isinstance(effect, Ask) for effect in effects)
    assert core.transfers == 2


@pytest.mark.parametrize(
    ("settings", "silent"),
    [
        ({"transfers": 2, "data_ports": (40000, 40000)}, "10.0.0.12"),
        ({"transfers_per_host": 2}, "10.0.0.13"),
        ({"transfers_per_host": 2, "data_ports": (40000, 40001)}, "10.0.0.13"),
    ],
)
@pytest.mark.parametrize("later", [0.5, 2.0])
def test_whatever_is_full_makes_room_if_somebody_never_answered_in_time(
    settings: dict[str, Any], silent: str, later: float
) -> None:
    """Forged requests for all places, or in one host's name, must not keep everybody out."""
    core = server(**settings)
    for number in (1, 2):
        begin(core, ReadRequest("f"), bytes(2000), source=Endpoint(silent, number))
    effects = say(core, ReadRequest("f"), source=Endpoint("10.0.0.13", 9), now=later)
    assert any(isinstance(effect, Ask) for effect in effects) == (later > 1)
    assert [event.text for event in events(effects, TftpAborted) if "has not answered" not in event.text] == []
    assert len(events(effects, TftpAborted)) == (later > 1)
    assert core.transfers == 2


def test_nobody_makes_room_where_that_would_not_help() -> None:
    core = server(transfers=3, transfers_per_host=2)
    for number in (1, 2):
        name, _ = begin(core, ReadRequest("f"), bytes(2000), source=Endpoint("10.0.0.13", number))
        say(core, Ack(1), name, source=Endpoint("10.0.0.13", number))
    begin(core, ReadRequest("f"), bytes(2000), source=Endpoint("10.0.0.12", 1))
    effects = say(core, ReadRequest("f"), source=Endpoint("10.0.0.13", 9), now=2.0)
    assert events(effects, TftpAborted) == []
    assert core.transfers == 3


def test_one_phone_cannot_take_all_writes() -> None:
    core = server(writes=2 * WRITES_PER_PHONE)
    for port in range(WRITES_PER_PHONE + 5):
        say(core, WriteRequest("f"), source=Endpoint(CLIENT.host, 3000 + port))
    assert core.transfers == WRITES_PER_PHONE
    assert any(isinstance(effect, Ask) for effect in say(core, WriteRequest("f"), source=Endpoint("10.0.0.12", 9)))


def test_phones_that_share_an_address_have_their_writes_each() -> None:
    """RFC 7618: the port tells who asks, also when it comes to limits."""

    class Shared:
        def phone_at(self, address: str, port: int) -> str:
            return f"02:00:00:00:0a:{port // 64:02x}"

    core = TftpServer(Shared(), Random(1), TftpSettings(writes=2 * WRITES_PER_PHONE))
    for port in range(64, 64 + WRITES_PER_PHONE + 5):
        say(core, WriteRequest("f"), source=Endpoint(CLIENT.host, port))
    assert core.transfers == WRITES_PER_PHONE
    asked = [effect for effect in say(core, WriteRequest("f"), source=Endpoint(CLIENT.host, 128)) if isinstance(effect, Ask)]
    assert [effect.question for effect in asked] == [Admit("f", Endpoint(CLIENT.host, 128))]


def test_one_host_cannot_take_all_transfers() -> None:
    core = server(transfers_per_host=2)
    for port in range(5):
        say(core, ReadRequest("f"), source=Endpoint(CLIENT.host, 3000 + port))
    assert core.transfers == 2


def test_a_silent_client_is_given_up_and_its_port_closed() -> None:
    core = server()
    port, told = begin(core, ReadRequest("f"), bytes(600))
    while (due := core.next_due()) is not None:
        told += core.tick(due)
    assert told[-1] == Close(port)
    assert events(told, TftpAborted)
    assert len(sends(told)) == 2


def test_a_lost_first_block_comes_again_when_the_client_repeats_its_request() -> None:
    """tftp-hpa and atftp do so after 5 s, when the server has long said what it says by itself."""
    core = server()
    port, told = begin(core, ReadRequest("f"), bytes(600))
    told += core.tick(1.0)
    assert sends(told) == [Data(1, bytes(512))] * 2
    assert sends(say(core, ReadRequest("f"), now=5.0)) == [Data(1, bytes(512))]
    assert sends(say(core, Ack(1), port, now=5.1)) == [Data(2, bytes(88))]
    assert core.transfers == 1
    assert list(say(core, ReadRequest("f"), now=5.2))[1:] == [], "it has shown itself: the timer repeats what is lost"


@pytest.mark.parametrize("options", [(), (("blksize", "1400"),)])
def test_repeated_requests_bring_one_message_each_at_the_most_and_few_in_all(options: tuple[tuple[str, str], ...]) -> None:
    """Whoever forges an address must send himself whatever is sent to it, and it comes no faster than once a second."""
    core = server()
    request = ReadRequest("f", "octet", options)
    port, told = begin(core, request, bytes(600))
    ends = 0
    for tenths in range(1, 300):
        told += core.tick(tenths / 10)
        if Close(port) in told:
            ends = tenths
            break
        told += say(core, request, now=tenths / 10)
    assert 3 <= len(sends(told)) <= 3 + ASKED_AGAIN
    assert 0 < ends < 200, "and the place is free again in time"


def test_a_client_that_gives_up_ends_its_transfer() -> None:
    core = server()
    port, _ = begin(core, ReadRequest("f"), bytes(600))
    effects = say(core, Error(3, "disk \x1b[2J full"), port)
    (aborted,) = events(effects, TftpAborted)
    assert isinstance(aborted, TftpAborted)
    assert aborted.text.isprintable()
    assert core.transfers == 0


def test_a_port_that_cannot_be_opened_is_an_error_to_the_client() -> None:
    core = server()
    port, _ = begin(core, ReadRequest("f"), b"x")
    effects = list(core.resolve(port, Failed("too many open files"), 0.0))
    (error,) = sends(effects)
    assert isinstance(error, Error)
    assert error.code == 0
    assert "files" not in error.text
    assert core.transfers == 0
    assert core.resolve(port, Failed("late"), 0.0) == []


def test_a_file_that_cannot_be_read_is_an_error_to_the_client() -> None:
    core = server()
    say(core, ReadRequest("f"))
    (error,) = sends(core.resolve("t1", Failed("input/output error"), 0.0))
    assert error == Error(0, "the file cannot be read")


@pytest.mark.parametrize("group", ["255.255.255.255", "224.0.0.1"])
def test_a_broadcast_request_is_ignored(group: str) -> None:
    assert server().receive(Datagram(write(ReadRequest("f")), CLIENT, group, "", "tftp"), 0.0) == []


def test_two_transfers_do_not_disturb_each_other() -> None:
    core = server()
    first, _ = begin(core, ReadRequest("f"), b"f" * 600)
    other = Endpoint("10.0.0.12", 9)
    say(core, ReadRequest("g"), source=other)
    core.resolve("t2", Done(b"g" * 600), 0.0)
    assert sends(say(core, Ack(1), "t2", other)) == [Data(2, b"g" * 88)]
    assert sends(say(core, Ack(1), first)) == [Data(2, b"f" * 88)]


def test_a_window_leaves_block_by_block_and_the_due_time_follows_it() -> None:
    core = server()
    options = (("blksize", "8"), ("windowsize", "4"))
    port, effects = begin(core, ReadRequest("f", "octet", options), bytes(100))
    assert sends(effects) == [OptionAck(options)]
    assert [message.block for message in sends(say(core, Ack(0), port)) if isinstance(message, Data)] == [1, 2, 3, 4]
    assert [message.block for message in sends(say(core, Ack(2), port, now=0.5)) if isinstance(message, Data)] == [3, 4]
    assert core.next_due() == pytest.approx(0.5 + PAUSE_S)
    assert [message.block for message in sends(core.tick(0.6)) if isinstance(message, Data)] == [5, 6]


def test_a_timer_that_fires_before_its_time_says_nothing() -> None:
    """It is armed once and not moved with every block."""
    core = server()
    port, _ = begin(core, ReadRequest("f"), bytes(2000))
    say(core, Ack(1), port, now=0.9)
    assert core.next_due() == pytest.approx(1.0)
    assert list(core.tick(1.0)) == []
    assert core.next_due() == pytest.approx(1.9)
    assert sends(core.tick(1.9)) == [Data(2, bytes(512))]


def directs(effects: Effects | list[object]) -> list[Direct]:
    return [effect for effect in effects if isinstance(effect, Direct)]


@pytest.mark.parametrize("single_port", [False, True])
def test_a_read_takes_the_short_way_and_begins_and_ends_by_the_long_one(single_port: bool) -> None:
    core = server(single_port=single_port)
    content = Random(3).randbytes(2000)
    _, effects = begin(core, ReadRequest("f"), content)
    (direct,) = directs(effects)
    port = "tftp" if single_port else "t1"
    assert direct.reply is not None
    assert direct == Direct(port, CLIENT, direct.reply, SERVER)
    assert direct.reply is not None
    assert sends(say(core, Ack(1), port)) == [Data(2, content[512:1024])]
    for block, rest in ((3, content[1024:1536]), (4, content[1536:])):
        train = direct.reply(write(Ack(block - 1)), block / 10)
        assert train is not None
        assert [parse(bytes(octets)) for octets in train.datagrams()] == [Data(block, rest)]
    assert direct.reply(write(Ack(4)), 0.4) is None
    last = say(core, Ack(4), port, now=0.4)
    (served,) = events(last, TftpServed)
    assert isinstance(served, TftpServed)
    assert (served.octets, served.blocks, served.repeated) == (2000, 4, 0)
    assert last[-1] == (Direct(port, CLIENT, None, SERVER) if single_port else Close(port))


@pytest.mark.parametrize("single_port", [False, True])
def test_a_read_that_ends_before_it_began_leaves_no_short_way_behind(single_port: bool) -> None:
    """The port of requests would keep it, and the file, until the role ends."""

    class Changed(Octets):
        def read(self, offset: int, length: int) -> memoryview:
            raise ContentLost("it was changed while it was read")

    core = server(single_port=single_port)
    say(core, ReadRequest("f"))
    effects = list(core.resolve("t1", Done(Changed(bytes(600))), 0.0))
    assert sends(effects) == [Error(0, "the file cannot be read")]
    assert [direct.reply for direct in directs(effects) if direct.reply is not None] == []
    assert core.transfers == 0


def test_what_the_short_way_sent_is_repeated_in_time() -> None:
    core = server()
    port, effects = begin(core, ReadRequest("f"), bytes(2000))
    (direct,) = directs(effects)
    assert direct.reply is not None
    say(core, Ack(1), port, now=0.5)
    assert direct.reply(write(Ack(2)), 0.9)
    told: list[object] = []
    while not sends(told):
        due = core.next_due()
        assert due is not None
        told += core.tick(due)
    assert due == pytest.approx(1.9)
    assert sends(told) == [Data(3, bytes(512))]


def test_a_write_has_no_short_way() -> None:
    core = server(writes=1)
    say(core, WriteRequest("log"))
    assert directs(core.resolve("t1", Done(Admitted(1000)), 0.0)) == []


def ports_of(effects: list[object]) -> list[int]:
    return [effect.local.port for effect in effects if isinstance(effect, Open)]


def taken(seed: int, count: int) -> list[int]:
    """The ports of so many transfers, one after the other."""
    core = TftpServer(House(), Random(seed), TftpSettings(data_ports=(40000, 40099)))
    numbers = []
    for _ in range(count):
        name, effects = begin(core, ReadRequest("f"), b"x")
        numbers += ports_of(effects)
        say(core, Ack(1), name)
    return numbers


def test_transfers_take_their_ports_from_the_range_and_none_again_soon() -> None:
    numbers = taken(1, 1000)
    assert set(numbers) == set(range(40000, 40100))
    assert all(len(set(numbers[at : at + 50])) == 50 for at in range(950))


def test_nobody_can_foretell_the_port_of_a_transfer() -> None:
    """RFC 1350 section 4: who knows it can forge an ACK; not even a whole round of the range tells the next one."""
    assert taken(1, 8) != taken(2, 8)
    numbers = taken(1, 1000)
    followers = {after for before, after in pairwise(numbers) if before == 40000}
    assert len(followers) > 1


def test_every_port_of_the_range_can_be_used_at_once() -> None:
    core = server(data_ports=(40000, 40004))
    homes = [Endpoint("10.0.0.12", number) for number in range(1, 6)]
    numbers = [number for home in homes for number in ports_of(begin(core, ReadRequest("f"), b"x", source=home)[1])]
    assert sorted(numbers) == list(range(40000, 40005))


ELSEWHERE = Endpoint("10.0.0.12", 9)
ONE_PORT = {"data_ports": (40000, 40000)}


def test_when_all_data_ports_are_taken_a_transfer_runs_from_the_port_of_requests_to_its_end() -> None:
    """TFT-2: no request of a burst is lost, however small the range; a firewall that lets the request in lets this pass."""
    core = server(**ONE_PORT)
    name, _ = begin(core, ReadRequest("f"), bytes(600))
    _, effects = begin(core, ReadRequest("g"), b"g" * 600, source=ELSEWHERE)
    assert effects[0] == Send(write(Data(1, b"g" * 512)), ELSEWHERE, "tftp", SERVER)
    assert [effect for effect in effects if isinstance(effect, Open)] == []
    assert [effect.port for effect in effects if isinstance(effect, Direct)] == ["tftp"]
    assert sends(say(core, Ack(1), source=ELSEWHERE)) == [Data(2, b"g" * 88)]
    assert sends(say(core, Ack(1), name)) == [Data(2, bytes(88))]
    last = say(core, Ack(2), source=ELSEWHERE)
    assert events(last, TftpServed)
    assert last[-1] == Direct("tftp", ELSEWHERE, None, SERVER)
    assert core.transfers == 1


def test_a_burst_finds_every_port_of_the_range_and_the_port_of_requests_for_the_rest() -> None:
    core = server(data_ports=(40000, 40099))
    homes = [Endpoint(CLIENT.host, number) for number in range(2000, 2300)]
    began = [begin(core, ReadRequest("f"), b"x", source=home) for home in homes]
    assert sorted(number for _, effects in began for number in ports_of(effects)) == list(range(40000, 40100))
    assert all(sends(effects) == [Data(1, b"x")] for _, effects in began)
    assert core.transfers == 300
    for home, (name, effects) in zip(homes, began, strict=True):
        assert events(say(core, Ack(1), name if ports_of(effects) else "tftp", home), TftpServed)
    assert ports_of(begin(core, ReadRequest("f"), b"x")[1]), "a port is free again"


def test_a_write_also_runs_from_the_port_of_requests_when_all_data_ports_are_taken() -> None:
    core = server(**ONE_PORT, writes=2)
    begin(core, ReadRequest("f"), b"x")
    assert any(isinstance(effect, Ask) for effect in say(core, WriteRequest("log"), source=ELSEWHERE))
    assert sends(core.resolve("t2", Done(Admitted(1000)), 0.0)) == [Ack(0)]
    asked = [effect for effect in say(core, Data(1, b"end"), source=ELSEWHERE) if isinstance(effect, Ask)]
    assert [effect.question for effect in asked] == [Keep("log", ELSEWHERE, b"end")]
    assert next(iter(core.resolve("t2", Done(Kept("box/log")), 0.0))) == Send(write(Ack(1)), ELSEWHERE, "tftp", SERVER)


def test_a_request_that_is_repeated_from_the_port_of_requests_starts_no_second_transfer() -> None:
    core = server(**ONE_PORT)
    begin(core, ReadRequest("f"), b"x")
    begin(core, ReadRequest("g"), bytes(600), source=ELSEWHERE)
    assert not [effect for effect in say(core, ReadRequest("g"), source=ELSEWHERE) if isinstance(effect, Ask | Open | Send)]
    assert any(isinstance(effect, Ask) for effect in say(core, ReadRequest("h"), source=ELSEWHERE)), "it asks for another file"
    assert core.transfers == 2


def test_with_a_range_nobody_reaches_anothers_transfer_by_the_port_of_requests() -> None:
    core = server(**ONE_PORT)
    name, _ = begin(core, ReadRequest("f"), bytes(600))
    begin(core, ReadRequest("g"), bytes(600), source=ELSEWHERE)
    assert sends(say(core, Ack(1))) == [], "the transfer of this client has a port of its own"
    assert sends(say(core, Ack(1), source=Endpoint("10.0.0.99", 7))) == []
    (error,) = sends(say(core, Data(1, b""), source=Endpoint("10.0.0.99", 7)))
    assert isinstance(error, Error)
    assert error.code == 5
    assert sends(say(core, Ack(1), name)) == [Data(2, bytes(88))]


def test_a_data_port_that_another_program_has_is_passed_over() -> None:
    core = server(data_ports=(40000, 40002))
    name, effects = begin(core, ReadRequest("f"), b"x")
    others = {40000, 40001, 40002} - set(ports_of(effects))
    assert set(ports_of(list(core.resolve(name, Failed("address already in use"), 0.0)))) < others


def test_if_other_programs_have_all_data_ports_the_port_of_requests_serves() -> None:
    core = server(data_ports=(40000, 40002))
    name, effects = begin(core, ReadRequest("f"), bytes(600))
    for _ in range(OPENINGS):
        if ports_of(effects):
            effects = list(core.resolve(name, Failed("address already in use"), 0.0))
    assert [effect.port for effect in effects if isinstance(effect, Direct)] == ["tftp"]
    due = core.next_due()
    assert due is not None
    (sent, *_) = core.tick(due)
    assert sent == Send(write(Data(1, bytes(512))), CLIENT, "tftp", SERVER)
    assert sends(say(core, Ack(1), now=due)) == [Data(2, bytes(88))]
    assert events(say(core, Ack(2), now=due), TftpServed)


def test_what_could_not_leave_by_a_data_port_of_another_program_leaves_by_the_port_of_requests_at_once() -> None:
    """The first message is sent before it is known that its port cannot be opened: its client must not wait for a repetition."""
    core = server(**ONE_PORT)
    name, effects = begin(core, ReadRequest("f"), bytes(600))
    (first,) = [effect for effect in effects if isinstance(effect, Send)]
    core.resolve(name, Failed("address already in use"), 0.0)
    assert core.resolve(first.token, Failed("port 't1' is not open"), 0.0) == [Send(first.payload, CLIENT, "tftp", SERVER)]
    say(core, Error(0, "no"))
    assert core.resolve(first.token, Failed("late"), 0.0) == [], "the transfer is over"


def test_a_first_message_that_does_not_leave_by_its_own_port_is_tried_once_more_and_then_told_by_who_sends() -> None:
    core = server(**ONE_PORT)
    name, effects = begin(core, ReadRequest("f"), bytes(600))
    (first,) = [effect for effect in effects if isinstance(effect, Send)]
    assert core.resolve(first.token, Failed("network is unreachable"), 0.0) == [Send(first.payload, CLIENT, name)]


def test_without_any_local_port_the_client_is_told() -> None:
    core = server()
    name, _ = begin(core, ReadRequest("f"), b"x")
    (error,) = sends(core.resolve(name, Failed("too many open files"), 0.0))
    assert isinstance(error, Error)
    assert core.transfers == 0


def test_in_single_port_mode_clients_are_told_apart_by_their_endpoints() -> None:
    core = server(single_port=True)
    other = Endpoint(CLIENT.host, 9999)
    _, effects = begin(core, ReadRequest("f"), b"f" * 600)
    assert effects[0] == Send(write(Data(1, b"f" * 512)), CLIENT, "tftp", SERVER)
    assert not [effect for effect in effects if isinstance(effect, Open)]
    begin(core, ReadRequest("g"), b"g" * 600, source=other)
    assert sends(say(core, Ack(1), source=other)) == [Data(2, b"g" * 88)]
    assert sends(say(core, Ack(1))) == [Data(2, b"f" * 88)]
    last = say(core, Ack(2))
    assert events(last, TftpServed)
    assert not [effect for effect in last if isinstance(effect, Close)]
    assert core.transfers == 1


def test_in_single_port_mode_a_stranger_is_told_that_there_is_no_transfer() -> None:
    core = server(single_port=True)
    begin(core, ReadRequest("f"), b"f" * 600)
    stranger = Endpoint("10.0.0.99", 7)
    assert sends(say(core, Ack(1), source=stranger)) == []
    (error,) = sends(say(core, Data(1, b""), source=stranger))
    assert isinstance(error, Error)
    assert error.code == 5


def test_in_single_port_mode_a_repeated_request_starts_no_second_transfer() -> None:
    core = server(single_port=True)
    begin(core, ReadRequest("f"), b"f" * 600)
    assert sends(say(core, ReadRequest("f"))) == []
    assert core.transfers == 1


def test_a_burst_of_requests_of_one_site_behind_a_nat_is_served_whole() -> None:
    core = server()
    for port in range(300):
        begin(core, ReadRequest("f"), b"x", source=Endpoint(CLIENT.host, 2000 + port))
    assert core.transfers == 300


def test_a_request_and_an_ack_that_are_forged_bring_one_window_and_one_block_to_whoever_is_meant() -> None:
    core = server(single_port=True)
    request = ReadRequest("f", "octet", (("blksize", "1468"), ("windowsize", "16")))
    _, effects = begin(core, request, bytes(1 << 20))
    effects += say(core, Ack(0), now=0.1)
    while (due := core.next_due()) is not None:
        effects += core.tick(due)
    octets = sum(len(write(message)) for message in sends(effects))
    assert 16 * 1472 < octets < 17 * 1472 + 100
    assert core.transfers == 0


@pytest.mark.parametrize(("client", "phone", "peer"), [(CLIENT, PHONE, VICTIM), (Endpoint("10.0.0.12", 9), VICTIM, "")])
def test_a_refusal_is_told_of_the_phone_whose_file_it_was_and_of_who_asked(client: Endpoint, phone: str, peer: str) -> None:
    """``why`` of either shows it; where nobody holds the address that asks, it most likely is the owner itself."""
    core = server()
    say(core, ReadRequest("x.cfg"), source=client)
    (told,) = events(core.resolve("t1", Done(Refused(2, "no", "why not", VICTIM)), 0.0), TftpRefused)
    assert (told.phone, told.peer) == (phone, peer)
    assert told.text.endswith("was refused x.cfg with error 2: no: why not")
