"""Other people's decoders agree with ours: tshark and Erlang/OTP read what we write, and we read OTP's messages."""

import ast
import re
import subprocess
from pathlib import Path

import pytest
from msgspec.structs import replace

from tests.live.capture import Capture
from tests.live.judge import pcap, verdicts
from tests.live.namespaces import Namespaces
from voxpath.megaco.message import (
    ALL,
    ALL_CONTEXTS,
    CHOOSE,
    CHOOSE_CONTEXT,
    NULL_CONTEXT,
    ROOT,
    Action,
    Audit,
    Command,
    CommandKind,
    CommandReply,
    CompletionReason,
    DigitMapDescriptor,
    ErrorDescriptor,
    Events,
    LocalControl,
    Media,
    Message,
    MId,
    ObservedEvent,
    ObservedEvents,
    Package,
    Packages,
    Quoted,
    RequestedEvent,
    ServiceChangeMethod,
    Services,
    ServiceState,
    Signal,
    SignalList,
    Signals,
    SignalType,
    Statistics,
    Stream,
    StreamMode,
    TerminationState,
    TransactionPending,
    TransactionReply,
    TransactionRequest,
    TransactionResponseAck,
    error_reply,
    message,
    parameter,
    reply,
    request,
)
from voxpath.megaco.wire import DecodeError, decode, encode
from voxpath.sdp import wire as sdp
from voxpath.sdp.message import SessionDescription

pytestmark = [pytest.mark.live, pytest.mark.together]

VECTORS = Path(__file__).parents[1] / "vectors" / "megaco-rfc3525"
OTP_MESSAGES = "lib/megaco-*/examples/meas/time_test.msgs"
OTP_MESSAGES_READ = 136
OTP_MESSAGES_OF_VERSION_3_ONLY = 13
"""Message segments and lists of terminations: H.248.1 version 3, not in the grammar of RFC 3525."""
WITHOUT_REASON = "rfc3525_text-01"
"""The RFC's own registration lacks the Reason that its grammar demands; OTP refuses it."""
EMPTY_SIGNALS = re.compile(rb"\b(Signals|SG)\s*[,}]")
"""tshark has a note for this form, a warning for the compact one; OTP refuses ``Signals{}``, and its verdict counts more."""
WARNING = 0x600000
"""tshark's severity below error."""
PORT = 2944
GATEWAY = MId.of_address("192.0.2.1", PORT)


def unfolded(text: str | None) -> str | None:
    """SDP with one line a line, which the appendix does not print."""
    return text and sdp.render(sdp.parse(text))


def with_unfolded_sdp(read: Message) -> Message:
    """The same message with its SDP printed properly."""
    transactions = [
        replace(each, actions=tuple(with_proper_action(action) for action in each.actions))
        if isinstance(each, TransactionRequest | TransactionReply)
        else each
        for each in read.transactions
    ]
    return replace(read, transactions=tuple(transactions))


def with_proper_action(action: object) -> object:
    field = "commands" if isinstance(action, Action) else "replies"
    commands = tuple(
        replace(each, descriptors=tuple(with_proper_media(one) for one in each.descriptors)) for each in getattr(action, field)
    )
    return replace(action, **{field: commands})


def with_proper_media(descriptor: object) -> object:
    if not isinstance(descriptor, Media):
        return descriptor
    streams = [replace(each, local=unfolded(each.local), remote=unfolded(each.remote)) for each in descriptor.streams]
    return replace(descriptor, streams=tuple(streams))


def every_kind() -> list[Message]:
    """One message of each kind that registration, audit and a call need."""
    offered = sdp.render(SessionDescription.of_audio())
    chosen = sdp.render(SessionDescription.of_audio("192.0.2.1", 10000))
    registration = Services(
        ServiceChangeMethod.RESTART, "901 Cold Boot", profile="ResGW/1", version=1, timestamp="20260101T00000000", address=PORT
    )
    call = (
        Command(CommandKind.ADD, "line/1", (Signals((Signal("al/ri"),)),)),
        Command(
            CommandKind.ADD,
            CHOOSE,
            (Media((Stream(1, LocalControl(StreamMode.RECEIVE_ONLY, properties=(parameter("nt/jit", 40),)), offered, chosen),)),),
        ),
    )
    dialled = ObservedEvent("dd/ce", (parameter("ds", Quoted("916135551212")), parameter("Meth", "UM")), "20260101T00000000")
    armed = Events(
        2223,
        (
            RequestedEvent("al/on", (parameter("strict", "state"),)),
            RequestedEvent("dd/ce", digit_map=DigitMapDescriptor("plan0")),
            RequestedEvent("al/fl", keep_active=True, events=Events(5, (RequestedEvent("al/of"),)), stream=1),
        ),
    )
    tones = Signals(
        (
            Signal("cg/dt", type=SignalType.TIME_OUT, duration=500, notify_completion=(CompletionReason.TIME_OUT,)),
            SignalList(1, (Signal("cg/bt"), Signal("cg/ct"))),
        )
    )
    plan = DigitMapDescriptor("plan0", "T:10,S:3,L:8,(0|00|[1-7]xxx|8xxxxxxx|9011x.)")
    audited = (
        Media((Stream(1, LocalControl(StreamMode.SEND_RECEIVE), chosen, chosen),), TerminationState(ServiceState.IN_SERVICE)),
        Packages((Package("nt", 1), Package("rtp", 1))),
        Statistics((parameter("rtp/ps", 1200), parameter("nt/os", 62300), parameter("rtp/pl", "0.2"))),
    )
    transactions = [
        request(1, NULL_CONTEXT, Command(CommandKind.SERVICE_CHANGE, ROOT, (registration,))),
        reply(1, NULL_CONTEXT, CommandReply(CommandKind.SERVICE_CHANGE, ROOT, (Services(version=1, profile="ResGW/1"),))),
        request(2, NULL_CONTEXT, Command(CommandKind.MODIFY, "line/1", (armed, tones, plan))),
        request(3, CHOOSE_CONTEXT, *call),
        reply(
            3,
            2000,
            CommandReply(CommandKind.ADD, "line/1"),
            CommandReply(CommandKind.ADD, "rtp/1", (Media((Stream(1, local=chosen),)),)),
        ),
        request(4, NULL_CONTEXT, Command(CommandKind.NOTIFY, "line/1", (ObservedEvents(2223, (dialled,)),))),
        reply(4, NULL_CONTEXT, CommandReply(CommandKind.NOTIFY, "line/1"), immediate_ack=True),
        request(5, 2000, Command(CommandKind.SUBTRACT, ALL, (Audit(("Statistics",)),), optional=True, wildcard=True)),
        reply(5, 2000, CommandReply(CommandKind.SUBTRACT, "rtp/1", audited[2:])),
        request(6, NULL_CONTEXT, Command(CommandKind.AUDIT_VALUE, ROOT, (Audit(("Media", "Packages", "Events")),))),
        reply(6, NULL_CONTEXT, CommandReply(CommandKind.AUDIT_VALUE, "rtp/1", audited)),
        request(7, ALL_CONTEXTS, Command(CommandKind.AUDIT_VALUE, ALL, (Audit(),))),
        reply(8, NULL_CONTEXT, CommandReply(CommandKind.MODIFY, "line/9", (ErrorDescriptor(430, "Unknown termination"),))),
        error_reply(9, 403, "Syntax error"),
        TransactionPending(10),
        TransactionResponseAck(((1, 1), (3, 9))),
    ]
    made = [message(GATEWAY, each) for each in transactions]
    made.append(message(MId.of_domain("gw.example", PORT), *transactions))
    made.append(Message(MId.parse("gw1"), error=ErrorDescriptor(400, "Syntax error in message")))
    return made


def octets_of_everything(without: str = "") -> list[bytes]:
    """Every kind of message and the examples of the RFC but one, pretty and compact."""
    paths = [path for path in sorted(VECTORS.glob("*.megaco")) if path.stem != without]
    examples = [with_unfolded_sdp(decode(path.read_bytes())) for path in paths]
    return [encode(each, compact) for each in every_kind() + examples for compact in (False, True)]


def test_tshark_finds_no_fault_in_any_message_of_ours(tmp_path: Path) -> None:
    sent = octets_of_everything()
    for octets, verdict in zip(sent, verdicts(sent, PORT, tmp_path), strict=True):
        assert verdict.protocol.startswith("MEGACO"), octets.decode()
        assert verdict.malformed == "", f"{verdict}\n{octets.decode()}"
        mild = all(int(each) <= WARNING for each in verdict.severities.split(",") if each)
        remarked = EMPTY_SIGNALS.search(octets) is not None and mild
        assert verdict.remarks == "" or remarked, f"{verdict}\n{octets.decode()}"


BROKEN = (b"MEGACO/1 xyz\nTransaction {{{{", b"MEGACO/1 [192.0.2.1]:2944\nTransaction = 5 {\nContext = - {")


@pytest.mark.parametrize("broken", BROKEN)
def test_the_judge_does_object_to_what_is_broken(broken: bytes, tmp_path: Path) -> None:
    """The check of live captures would be worth nothing if it never failed."""
    with Namespaces() as net:
        net.create("judge")
        judged = Capture(net, "judge", "lo", tmp_path)
        for octets, objections in ((broken, 1), (octets_of_everything()[0], 0)):
            (tmp_path / "judge-lo.pcap").write_bytes(pcap([octets], PORT))
            assert len(judged.complaints("megaco")) == objections


def test_erlang_otp_reads_every_message_of_ours(tmp_path: Path) -> None:
    """OTP's decoders are strict, which makes them a check on ours."""
    sent = octets_of_everything(without=WITHOUT_REASON)
    for number, octets in enumerate(sent):
        (tmp_path / f"{number:03}.{'compact' if number % 2 else 'pretty'}").write_bytes(octets)
    program = """
        lists:foreach(fun({Codec, Ending}) ->
            lists:foreach(fun(Name) ->
                {ok, Octets} = file:read_file(Name),
                case catch Codec:decode_message([], Octets) of
                    {ok, _} -> ok;
                    Refusal -> io:format("~s ~0p~n", [filename:basename(Name), Refusal])
                end
            end, filelib:wildcard("*." ++ Ending))
        end, [{megaco_pretty_text_encoder, "pretty"}, {megaco_compact_text_encoder, "compact"}]), halt().
    """
    result = subprocess.run(
        ["erl", "-noshell", "-eval", program], cwd=tmp_path, capture_output=True, text=True, check=True, timeout=60
    )
    shown = [f"{line}\n{sent[int(line[:3])].decode()}" for line in result.stdout.splitlines() if line[:3].isdigit()]
    assert result.stdout == "", "\n".join(shown)


def test_the_messages_of_erlang_otp_are_read() -> None:
    """What OTP measures its codecs with: all of it is read, but for what only version 3 has."""
    (path,) = Path("/usr/lib/erlang").glob(OTP_MESSAGES)
    texts = [ast.literal_eval(f'b"{text}"') for text in re.findall(r'<<"((?:[^"\\]|\\.)*)">>', path.read_text("latin-1"))]
    read, newer = 0, []
    for octets in texts:
        try:
            message_ = decode(octets)
        except DecodeError as error:
            assert error.version == 3, f"{error}\n{octets.decode()}"
            newer.append(octets)
            continue
        read += 1
        assert decode(encode(message_)) == decode(encode(message_, compact=True)) == message_
    assert (read, len(newer)) == (OTP_MESSAGES_READ, OTP_MESSAGES_OF_VERSION_3_ONLY)
