"""The phone carries out commands, and refuses what it cannot do with the code that the RFC asks for."""

from ipaddress import IPv4Address
from random import Random

import pytest

from voxpath.core.effects import Close, Effect, Open
from voxpath.megaco import wire
from voxpath.megaco.message import ActionReply, Message, Statistics, TransactionRequest
from voxpath.model.address import Endpoint
from voxpath.model.ports import PortBlock
from voxpath.phone.execute import Terminations
from voxpath.phone.media import Media
from voxpath.phone.stream import EphemeralStream
from voxpath.sdp.wire import parse

PRIVATE, PUBLIC = "10.0.0.11", "203.0.113.1"
STREAM = "Media {{ Stream = 1 {{ LocalControl {{ Mode = ReceiveOnly }}, Local {{ {} }} }} }}"
ADD = f"Context = $ {{{{ Add = line/1, Add = $ {{{{ {STREAM} }}}} }}}}"


def phone(ports: int = 8, lines: int = 2) -> Terminations:
    block = PortBlock(IPv4Address(PUBLIC), 20000, ports)
    return Terminations(PRIVATE, block, 20000, lines, lambda: Media(400, Random(1)))


def order(here: Terminations, text: str) -> tuple[tuple[ActionReply, ...], list[Effect]]:
    message: Message = wire.decode(f"MEGACO/1 [192.0.2.1]:2944 Transaction = 1 {{ {text} }}".encode())
    [transaction] = message.transactions
    assert isinstance(transaction, TransactionRequest)
    return here.execute(transaction.actions, 0.0)


def sdp(address: str = "$", port: str = "$", codec: str = "0") -> str:
    return f"v=0\r\nc=IN IP4 {address}\r\nm=audio {port} RTP/AVP {codec}\r\n"


def add(here: Terminations, local: str = "") -> tuple[tuple[ActionReply, ...], list[Effect]]:
    return order(here, ADD.format(local or sdp()))


def code(replies: tuple[ActionReply, ...]) -> int | None:
    last = replies[-1]
    error = last.error or (last.replies[-1].error if last.replies else None)
    return error.code if error is not None else None


@pytest.mark.parametrize(("asked", "shown"), [("$", PRIVATE), (PRIVATE, PRIVATE), (PUBLIC, PUBLIC)])
def test_the_selected_address_is_shown_and_the_port_is_the_phones(asked: str, shown: str) -> None:
    """TRI-4: the controller selects private or public; the socket is bound at the private address either way."""
    here = phone()
    replies, effects = add(here, sdp(asked))
    [action] = replies
    assert [reply.termination for reply in action.replies] == ["line/1", "rtp/1"]
    stream = here.stream_of(here.lines["line/1"])
    assert isinstance(stream, EphemeralStream)
    local = stream.describe().streams[0].local
    assert local is not None
    assert parse(local)[0].rtp_endpoint() == Endpoint(shown, 20002)
    assert effects == [Open("rtp/1", Endpoint(PRIVATE, 20002))]


def test_streams_take_even_ports_until_none_is_left_and_give_them_back() -> None:
    here = phone(ports=4, lines=2)
    assert code(add(here)[0]) is None
    second = ADD.format(sdp()).replace("line/1", "line/2")
    replies, _ = order(here, second)
    assert code(replies) == 510
    # What came to be of the context is taken out by a wildcard.
    order(here, f"Context = {replies[0].context} {{ Subtract = * }}")
    replies, effects = order(here, "Context = 1 { Subtract = line/1, Subtract = rtp/1 { Audit { Statistics } } }")
    assert isinstance(replies[0].replies[1].find(Statistics), Statistics)
    assert effects == [Close("rtp/1")]
    assert code(order(here, second)[0]) is None


@pytest.mark.parametrize(
    ("local", "expected"),
    [
        (sdp("192.0.2.66"), 449),
        (sdp(PRIVATE, "20001"), 449),
        (sdp(codec="18"), 515),
        (sdp("nonsense"), 449),
        ("v=0\r\nc=IN IP4 $\r\n", 449),
    ],
)
def test_a_stream_that_the_phone_cannot_make_is_refused(local: str, expected: int) -> None:
    here = phone()
    assert code(add(here, local)[0]) == expected
    assert here.streams == {}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Context = 99 { Modify = line/1 }", 411),
        ("Context = - { Modify = line/9 }", 430),
        ("Context = - { Modify = rtp/* }", 431),
        ("Context = - { Subtract = line/1 }", 435),
        ("Context = $ { Modify = line/1 }", 421),
        ("Context = - { Add = line/1 }", 421),
        ("Context = - { Modify = line/1 { Events = 1 { xy/zz } } }", 451),
        ("Context = - { Modify = line/1 { Signals { xy/zz } } }", 452),
        ("Context = - { Modify = line/1 { Events = 1 { dd/ce { DigitMap = unknown } } } }", 520),
        ("Context = - { Notify = line/1 { ObservedEvents = 1 { al/of } } }", 443),
        ("Context = - { Modify = line/1 { Signals { cg/dt } } }", None),
        ("Context = - { AuditValue = * { Audit { Packages, Media } } }", None),
        ("Context = - { AuditCapability = ROOT { Audit { Packages } } }", None),
    ],
)
def test_error_codes(text: str, expected: int | None) -> None:
    assert code(order(phone(), text)[0]) == expected


def test_a_line_is_in_one_context_at_a_time() -> None:
    here = phone()
    add(here)
    assert code(add(here)[0]) == 433
    assert code(order(here, "Context = - { Modify = line/1 }")[0]) == 435


def test_commands_after_a_failed_one_are_not_executed_unless_it_was_optional() -> None:
    here = phone()
    tail = "Modify = line/2 { Signals { cg/dt } } }"
    order(here, "Context = - { Modify = line/9, " + tail)
    assert here.lines["line/2"].sound.value == "silence"
    order(here, "Context = - { O-Modify = line/9, " + tail)
    assert here.lines["line/2"].sound.value == "dial tone"


def test_a_termination_can_be_moved_to_another_context() -> None:
    here = phone()
    add(here)
    order(here, ADD.format(sdp()).replace("line/1", "line/2"))
    assert code(order(here, "Context = 2 { Move = rtp/1 }")[0]) is None
    assert code(order(here, "Context = 2 { Subtract = rtp/1, Subtract = rtp/2, Subtract = line/2 }")[0]) is None
    assert code(order(here, "Context = 1 { Subtract = line/1 }")[0]) is None
    assert here.streams == {}
