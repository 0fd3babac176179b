"""What the MEGACO codec accepts, refuses and writes."""

from pathlib import Path

import pytest

from voxpath.core.errors import LocalError, RemoteError
from voxpath.megaco.message import (
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
    DigitMapDescriptor,
    ErrorDescriptor,
    Events,
    LocalControl,
    Media,
    Message,
    MId,
    ObservedEvent,
    ObservedEvents,
    Quoted,
    Raw,
    Relation,
    RequestedEvent,
    ServiceChangeMethod,
    Services,
    Signal,
    Signals,
    Statistics,
    Stream,
    StreamMode,
    Transaction,
    TransactionPending,
    TransactionReply,
    TransactionRequest,
    TransactionResponseAck,
    message,
    parameter,
    request,
)
from voxpath.megaco.wire import LARGEST_MESSAGE, DecodeError, decode, encode

VECTORS = sorted((Path(__file__).parents[1] / "vectors" / "megaco-rfc3525").glob("*.megaco"))
HEAD = b"MEGACO/1 [192.0.2.1]:2944\n"


def only(octets: bytes) -> Transaction:
    """The single transaction of a message."""
    (transaction,) = decode(octets).transactions
    return transaction


def command(text: str) -> Command:
    """The single command of a request that has this text in its context."""
    transaction = only(HEAD + b"T=1{C=-{" + text.encode() + b"}}")
    assert isinstance(transaction, TransactionRequest)
    return transaction.actions[0].commands[0]


def refused(octets: bytes) -> DecodeError:
    with pytest.raises(DecodeError) as caught:
        decode(octets)
    return caught.value


def test_all_vectors_are_there() -> None:
    assert len(VECTORS) == 28


@pytest.mark.parametrize("path", VECTORS, ids=lambda path: path.stem)
@pytest.mark.parametrize("compact", [False, True], ids=["pretty", "compact"])
def test_the_examples_of_the_rfc_survive_a_round_trip(path: Path, compact: bool) -> None:
    """RFC 3525 Appendix I prints messages that break its own grammar; all of them are unambiguous and are accepted."""
    read = decode(path.read_bytes())
    assert decode(encode(read, compact)) == read


def test_a_registration_in_full() -> None:
    text = (
        b"MEGACO/1 [124.124.124.222] Transaction = 9998 { Context = - { ServiceChange = ROOT { Services {"
        b' Method = Restart, ServiceChangeAddress = 55555, Profile = ResGW/1, Reason = "901 Cold Boot", Delay = 3,'
        b" Version = 1, 20260101T10203040, X-mine = yes } } } }"
    )
    services = Services(
        ServiceChangeMethod.RESTART,
        "901 Cold Boot",
        3,
        55555,
        profile="ResGW/1",
        version=1,
        timestamp="20260101T10203040",
        extensions=(parameter("X-mine", "yes"),),
    )
    expected = message(
        MId.of_address("124.124.124.222"),
        request(9998, NULL_CONTEXT, Command(CommandKind.SERVICE_CHANGE, ROOT, (services,))),
    )
    assert decode(text) == expected
    assert services.reason_code == 901


def test_a_bare_reason_is_read_and_written_in_quotes() -> None:
    """Real gateways omit the quotes and the parameters that the RFC demands at registration."""
    read = command("SC=root{SV{MT=RS,RE=901}}")
    assert read.termination == ROOT
    assert read.find(Services) == Services(ServiceChangeMethod.RESTART, "901")
    assert b'Reason = "901"' in encode(message(MId.parse("gw"), request(1, NULL_CONTEXT, read)))


def test_an_unknown_method_and_unknown_parameters_of_a_service_change_survive() -> None:
    read = command("SC=ROOT{SV{MT=X-Rest,RE=900,SIC}}").find(Services)
    assert read is not None
    assert (read.method, read.extras) == ("X-Rest", (Raw("SIC"),))


@pytest.mark.parametrize(
    "text",
    [
        "[192.0.2.1]",
        "[192.0.2.1]:2944",
        "[2001:db8::1]:1",
        "[::ffff:192.0.2.1]",
        "<gw.example>:2944",
        "<gw>",
        "MTP{1a2B}",
        "gw/1",
        "A4444",
    ],
)
def test_every_form_of_an_mid(text: str) -> None:
    read = decode(f"MEGACO/1 {text}\nPN=1{{}}".encode())
    assert str(read.mid) == text
    assert read.mid == MId.parse(text.upper())
    assert hash(read.mid) == hash(MId.parse(text.lower()))
    assert decode(encode(read)).mid == read.mid


@pytest.mark.parametrize(
    "text", ["[1.2.3]", "[192.0.2.256]", "[::1]:65536", "<>", "<a b>", "MTP{1}", "[gw]", "a" * 65, "a.b.c", "x:1"]
)
def test_a_malformed_mid_is_refused(text: str) -> None:
    assert refused(f"MEGACO/1 {text}\nPN=1{{}}".encode()).code == 400
    with pytest.raises(ValueError):  # noqa: PT011  # ipaddress words some of the messages
        MId.parse(text)


def test_mids_with_and_without_a_port_differ() -> None:
    assert MId.parse("[192.0.2.1]") != MId.parse("[192.0.2.1]:2944")
    assert str(MId.parse("[192.0.2.1]:2944").address) == "192.0.2.1"
    assert MId.parse("gw1").address is None


def test_white_space_comments_and_letter_case_do_not_matter() -> None:
    plain = decode(HEAD + b"T=1{C=${A=ROOT{M{ST=1{O{MO=SR}}}}}}")
    folded = (
        b';c\r\n megaco/1\t[192.0.2.1]:2944 ; } "\r\n ;\r\nTRANSACTION\r=\n1;x\n{ context= $ {'
        b"\tadd =root{media{stream=1{localcontrol{\nmode=SENDRECEIVE}}}} } } ; end"
    )
    assert decode(folded) == plain


def test_a_termination_called_local_is_no_descriptor() -> None:
    """Whether Local opens an octet string is decided by its position."""
    read = command("AV=Local{AT{M}}")
    assert (read.termination, read.find(Audit)) == ("Local", Audit(("Media",)))
    assert command("AV=L{AT{SA}}").termination == "L"


def test_sdp_is_kept_to_the_octet_but_for_white_space_at_its_ends() -> None:
    read = command('A=${M{ST=1{L{\r\n v=0\r\na=x:{\\};"\\ é\r\n},R{}}}}')
    media = read.find(Media)
    assert media is not None
    assert media.stream() == Stream(1, local='v=0\r\na=x:{};"\\ é', remote="")
    round_trip = decode(encode(message(MId.parse("gw"), request(1, CHOOSE_CONTEXT, read)), compact=True))
    assert round_trip.transactions == (request(1, CHOOSE_CONTEXT, read),)


def test_octets_that_are_no_utf_8_survive() -> None:
    octets = b'!/1 gw\nP=1{ER=500{"\xff\xfe"}}'
    assert encode(decode(octets), compact=True) == octets


def test_stream_parameters_may_stand_in_media_directly() -> None:
    read = command("A=${Media{LocalControl{Mode=Inactive},Local{v=0},TerminationState{ServiceStates=InService}}}").find(Media)
    assert read is not None
    stream = read.stream(1)
    assert stream is not None
    assert (stream.number, stream.local, stream.control) == (None, "v=0", LocalControl(StreamMode.INACTIVE))


@pytest.mark.parametrize(
    ("text", "relation", "values"),
    [
        ("nt/jit=40", Relation.EQUAL, ("40",)),
        ('p/q="a b"', Relation.EQUAL, ("a b",)),
        ("p/q>4", Relation.GREATER, ("4",)),
        ("p/q < 4", Relation.LESS, ("4",)),
        ("p/q#4", Relation.UNEQUAL, ("4",)),
        ('p/q=[1, "2,;]" ,3]', Relation.ALL_OF, ("1", "2,;]", "3")),
        ("p/q = {1, 2}", Relation.ONE_OF, ("1", "2")),
        ("p/q=[1 : 20]", Relation.RANGE, ("1", "20")),
        ("p/q=(a)b", Relation.EQUAL, ("(a)b",)),
    ],
)
def test_every_shape_of_a_property(text: str, relation: Relation, values: tuple[str, ...]) -> None:
    read = command(f"MF=a{{M{{ST=1{{O{{{text}}}}}}}}}")
    media = read.find(Media)
    assert media is not None
    control = media.streams[0].control
    assert control is not None
    assert (control.properties[0].relation, control.properties[0].values) == (relation, values)
    assert only(encode(message(MId.parse("gw"), request(1, NULL_CONTEXT, read)))) == request(1, NULL_CONTEXT, read)


def test_events_with_everything_embedded() -> None:
    text = (
        "MF=a{E=7{al/on,dd/ce{DM={T:10,(0|x.\n ; none\n |[1-7]x)}},dd/ce{DigitMap=plan0},"
        "al/of{KA,strict=exact,EM{SG{cg/dt},E=8{al/fl{ST=2}}}}}}"
    )
    embedded = Events(8, (RequestedEvent("al/fl", stream=2),))
    assert command(text).find(Events) == Events(
        7,
        (
            RequestedEvent("al/on"),
            RequestedEvent("dd/ce", digit_map=DigitMapDescriptor(body="T:10,(0|x.|[1-7]x)")),
            RequestedEvent("dd/ce", digit_map=DigitMapDescriptor("plan0")),
            RequestedEvent(
                "al/of",
                (parameter("strict", "exact"),),
                keep_active=True,
                signals=Signals((Signal("cg/dt"),)),
                events=embedded,
            ),
        ),
    )


def test_event_parameters_in_parentheses_as_the_appendix_prints_them() -> None:
    assert command("MF=a{E=1{al/of(strict=state)}}") == command("MF=a{E=1{al/of{strict=state}}}")


def test_an_observed_event_with_its_parameters() -> None:
    read = command('N=a{OE=9{19990729t22010001 : dd/ce{ds="916135551212",Meth=UM},al/of}}').find(ObservedEvents)
    digits = ObservedEvent("dd/ce", (parameter("ds", Quoted("916135551212")), parameter("Meth", "UM")), "19990729T22010001")
    assert read == ObservedEvents(9, (digits, ObservedEvent("al/of")))
    assert digits.parameter("meth") == "UM"
    assert digits.parameter("none") == ""


def test_optional_and_wildcarded_commands() -> None:
    read = command("o-w-Subtract=*{Audit{Statistics}}")
    assert (read.kind, read.optional, read.wildcard) == (CommandKind.SUBTRACT, True, True)
    assert b"O-W-S=*" in encode(message(MId.parse("gw"), request(1, ALL_CONTEXTS, read)), compact=True)


def test_what_belongs_to_the_context_itself_survives() -> None:
    transaction = only(HEAD + b"T=1{C=5{PR=3,EG,Topology{a, b, Isolate},CA{TP},S=a,MF=b{MD[V18,V90]{x/y=1},MX=H221{a,b}}}}")
    assert isinstance(transaction, TransactionRequest)
    action = transaction.actions[0]
    assert (action.priority, action.emergency) == (3, True)
    assert action.extras == (Raw("Topology", "{a,b,Isolate}"), Raw("CA", "{TP}"))
    assert action.commands[1].descriptors == (Raw("MD", "[V18,V90]{x/y=1}"), Raw("MX", "=H221{a,b}"))
    assert only(encode(message(MId.parse("gw"), transaction))) == transaction


def test_the_bare_tokens_of_an_audit_reply() -> None:
    transaction = only(HEAD + b"P=1{C=-{AV=a{Events,Signals,DigitMap,Media,Statistics,Packages,ObservedEvents,EventBuffer}}}")
    assert isinstance(transaction, TransactionReply)
    read = transaction.actions[0].replies[0]
    assert Events() in read.descriptors
    assert Signals() in read.descriptors
    assert Statistics() in read.descriptors
    assert only(encode(message(MId.parse("gw"), transaction))) == transaction


def test_replies_pending_and_acknowledgements_in_one_message() -> None:
    read = decode(HEAD + b'P=1{IA,C=1{A=a,ER=510{"none left"}}}PN=2{} K{3,5-9}\nReply=4{Error=403{}}')
    first, pending, acknowledgement, last = read.transactions
    assert isinstance(first, TransactionReply)
    assert first.immediate_ack
    assert first.actions[0].error == ErrorDescriptor(510, "none left")
    assert first.actions[0].replies == (CommandReply(CommandKind.ADD, "a"),)
    assert pending == TransactionPending(2)
    assert acknowledgement == TransactionResponseAck(((3, 3), (5, 9)))
    assert last == TransactionReply(4, error=ErrorDescriptor(403))
    assert decode(encode(read)) == decode(encode(read, compact=True)) == read


def test_a_reply_for_a_context_without_matches_survives() -> None:
    read = decode(HEAD + b"P=1{C=5}")
    assert decode(HEAD + b"P=1{C=5{}}") == decode(encode(read)) == read


def test_an_error_of_the_whole_message() -> None:
    read = decode(HEAD + b'Error=400{"syntax"}')
    assert read == Message(MId.parse("[192.0.2.1]:2944"), error=ErrorDescriptor(400, "syntax"))
    assert decode(encode(read)) == read


def test_an_authentication_header_is_kept() -> None:
    read = decode(b"AU=0x12345678:0x00000001:0x" + b"ab" * 12 + b"\n" + HEAD + b"PN=1{}")
    assert read.authentication.startswith("0x12345678:")
    assert decode(encode(read)) == read


@pytest.mark.parametrize(
    ("body", "code", "transaction", "at"),
    [
        (b"T=7{C=-{Foo=a}}", 443, 7, b"Foo"),
        (b"T=7{C=-{A=a{Foo}}}", 444, 7, b"Foo"),
        (b"T=7{C=-{A=a{Foo{x/y=1}}}}", 444, 7, b"Foo"),
        (b"T=7{C=-{A=a{M{ST=1{O{MO=Sideways}}}}}}", 449, 7, b"MO="),
        (b"T=7{C=-{A=a{E=9{nonsense}}}}", 442, 7, b"nonsense"),
        (b"T=7{C=-{A=a{M{ST=1{L{v=0},L{v=0}}}}}}", 448, 7, b"L{v=0}}"),
        (b"T=7{C=-{A=a{E{al/of}}}}", 442, 7, b"E{"),
        (b"T=7{C=-{N=a{OE{al/of}}}}", 442, 7, b"OE{"),
        (b"T=7{C=-{A}}", 410, 7, b"A}"),
        (b"T=7{C=-{}}", 422, 7, b"C=-"),
        (b"T=7{C>1{A=a}}", 422, 7, b"C>1"),
        (b"T=7{C=x{A=a}}", 422, 7, b"C=x"),
        (b"T=7{}", 403, 7, b"T=7"),
        (b"T=7{X=-{A=a}}", 403, 7, b"X=-"),
        (b"T=x{C=-{A=a}}", 403, 0, b"T=x"),
        (b"T=4294967296{C=-{A=a}}", 403, 0, b"T=4"),
        (b"T=7{C=-{A=a}", 400, 7, b""),
        (b"T=7{C=-{A=a B=b}}", 400, 7, b"B=b"),
        (b"T=7{C=-{,A=a}}", 400, 7, b",A"),
        (b"T=7{C=-{A=a}}}", 400, 7, b"}"),
        (b"T=7{C=-{A=a{E=1{al/of(x=y}}}}}", 400, 7, b"x=y"),
        (b"T=7{C=-{A=a{M{ST=1{L{v=0", 400, 7, b""),
        (b'T=7{C=-{A=a"}}', 400, 7, b'A=a"'),
        (b"K{9-3}", 403, None, b"9-3"),
        (b"K{}", 403, None, b"K{}"),
        (b"P=7{}", 403, None, b"P=7"),
        (b"Foo", 400, None, b"Foo"),
        (b"", 400, None, b""),
    ],
)
def test_a_refusal_names_code_offset_and_what_to_answer(body: bytes, code: int, transaction: int | None, at: bytes) -> None:
    error = refused(HEAD + body)
    assert (error.code, error.transaction, error.mid) == (code, transaction, MId.parse("[192.0.2.1]:2944"))
    assert (HEAD + body)[error.offset :].startswith(at)


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"MEGACO",
        b"MEGACO/1",
        b"MEGACO/1 ",
        b"SIP/2.0 200 OK",
        b"\xff" * 40,
        b"MEGACO/123 gw\nPN=1{}",
        b"MEGACO/1[192.0.2.1] PN=1{}",
    ],
)
def test_a_malformed_head_leaves_nobody_to_answer(head: bytes) -> None:
    error = refused(head)
    assert (error.code, error.mid, error.transaction) == (400, None, None)


@pytest.mark.parametrize("version", ["0", "4", "99"])
def test_an_unknown_version_is_refused_by_its_own_code(version: str) -> None:
    error = refused(f"MEGACO/{version} gw\nPN=1{{}}".encode())
    assert (error.code, error.version, str(error.mid)) == (406, int(version), "gw")


@pytest.mark.parametrize("version", [1, 2, 3])
def test_versions_up_to_three_are_read(version: int) -> None:
    assert decode(f"!/{version} gw\nPN=1{{}}".encode()).version == version


def test_well_formed_transactions_beside_a_malformed_one_are_handed_out() -> None:
    error = refused(HEAD + b"T=1{C=-{A=a}}T=2{C=-{Foo=a}}PN=3{}")
    assert error.transaction == 2
    assert error.rest == (request(1, NULL_CONTEXT, Command(CommandKind.ADD, "a")), TransactionPending(3))


def test_limits() -> None:
    assert refused(HEAD + b" " * LARGEST_MESSAGE).code == 400
    assert "deep" in refused(HEAD + b"T=1{" * 100).reason
    with pytest.raises(LocalError):
        encode(message(MId.parse("gw"), TransactionReply(1, error=ErrorDescriptor(500, "x" * LARGEST_MESSAGE))))


@pytest.mark.parametrize(
    "piece",
    [
        b"L{",
        b"R {\\}",
        b"DM={",
        b'="',
        b"=[",
        b'=["',
        b"(",
        b"{",
        b"}",
        b";",
        b"; \r",
        b"L ",
        b"DM =",
        b"a=b ",
        b"1" * 8 + b"T",
        b"<",
        b"=<a",
        b"\\",
        b" \t",
        b"MTP{",
        b'"\x00',
    ],
)
def test_no_input_costs_more_than_in_proportion(piece: bytes) -> None:
    """The largest message of a repeated piece is refused in far less time than quadratic behaviour would take."""
    with pytest.raises(RemoteError):
        decode((HEAD + piece * LARGEST_MESSAGE)[:LARGEST_MESSAGE])


@pytest.mark.parametrize(
    "bad",
    [
        request(1, NULL_CONTEXT, Command(CommandKind.ADD, "a} ,")),
        request(1, NULL_CONTEXT, Command(CommandKind.ADD, "")),
        request(1, NULL_CONTEXT),
        TransactionRequest(1),
        TransactionReply(1),
        TransactionResponseAck(()),
        request(1, NULL_CONTEXT, Command(CommandKind.ADD, "a", (Statistics((parameter("a/b", 'x"y'),)),))),
        request(1, NULL_CONTEXT, Command(CommandKind.ADD, "a", (Events(None, (RequestedEvent("a/b"),)),))),
        request(1, NULL_CONTEXT, Command(CommandKind.ADD, CHOOSE, (Media((Stream(1),)),))),
        request(1, NULL_CONTEXT, Command(CommandKind.ADD, CHOOSE, (Media((Stream(1, local="\x00"),)),))),
        request(1, NULL_CONTEXT, Command(CommandKind.MODIFY, "a", (DigitMapDescriptor("n", "x}"),))),
        TransactionRequest(1, (Action(NULL_CONTEXT),)),
        TransactionReply(1, error=ErrorDescriptor(500, "\ud800")),
    ],
)
def test_what_cannot_be_read_back_is_never_written(bad: Transaction) -> None:
    with pytest.raises(LocalError):
        encode(message(MId.parse("gw"), bad))


def test_sdp_with_a_brace_cannot_break_out() -> None:
    sdp = "v=0\na=}}}} T=9{C=-{S=*}}"
    sent = message(
        MId.parse("gw"), request(1, CHOOSE_CONTEXT, Command(CommandKind.ADD, CHOOSE, (Media((Stream(1, remote=sdp),)),)))
    )
    assert decode(encode(sent)) == sent


def test_the_looks_of_a_message() -> None:
    sent = message(
        MId.of_address("192.0.2.1", 2944),
        request(
            1,
            CHOOSE_CONTEXT,
            Command(
                CommandKind.ADD,
                CHOOSE,
                (Media((Stream(1, LocalControl(StreamMode.RECEIVE_ONLY), "v=0\r\nc=IN IP4 $\r\nm=audio $ RTP/AVP 0"),)), Signals()),
            ),
        ),
    )
    assert encode(sent).decode() == (
        "MEGACO/1 [192.0.2.1]:2944\nTransaction = 1 {\n\tContext = $ {\n\t\tAdd = $ {\n\t\t\tMedia {\n\t\t\t\tStream = 1 {\n"
        "\t\t\t\t\tLocalControl {\n\t\t\t\t\t\tMode = ReceiveOnly\n\t\t\t\t\t},\n\t\t\t\t\tLocal {\n"
        "v=0\r\nc=IN IP4 $\r\nm=audio $ RTP/AVP 0\n}\n\t\t\t\t}\n\t\t\t},\n\t\t\tSignals\n\t\t}\n\t}\n}\n"
    )
    assert encode(sent, compact=True) == (
        b"!/1 [192.0.2.1]:2944\nT=1{C=${A=${M{ST=1{O{MO=RC},L{\nv=0\r\nc=IN IP4 $\r\nm=audio $ RTP/AVP 0\n}}},SG}}}"
    )
