"""Printing and parsing MEGACO messages are inverse, for any message that the grammar can express."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from voxpath.core.errors import RemoteError
from voxpath.megaco.message import (
    Action,
    ActionReply,
    Audit,
    Command,
    CommandKind,
    CommandReply,
    CompletionReason,
    DigitMapDescriptor,
    ErrorDescriptor,
    EventBuffer,
    EventBufferControl,
    Events,
    LocalControl,
    Media,
    Message,
    MId,
    ObservedEvent,
    ObservedEvents,
    Package,
    Packages,
    Property,
    Quoted,
    Raw,
    Relation,
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
)
from voxpath.megaco.wire import decode, encode

uint16 = st.integers(0, 0xFFFF)
uint32 = st.integers(0, 0xFFFFFFFF)
# A prefix keeps generated names apart from every token of the grammar.
names = st.from_regex(r"q[A-Za-z0-9_]{0,8}", fullmatch=True)
items = st.builds("{}/{}".format, names, names)
terminations = st.sampled_from(["ROOT", "$", "*", "A4444", "line/1", "11111111/00000000", "T1/*/$", "*x", "L", "Local"])
plain = st.text(st.characters(codec="utf-8", exclude_characters='"\x00'), max_size=12)
values = st.one_of(st.from_regex(r"[A-Za-z0-9.+$*/!'-]{1,10}", fullmatch=True), plain.filter(bool), plain.map(Quoted))
sdp = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=60).map(lambda text: text.strip(" \t\r\n"))
times = st.sampled_from(["", "20260101T00000000", "19990729T22020002"])


def several(each: st.SearchStrategy[Any], least: int = 0, most: int = 3) -> st.SearchStrategy[tuple[Any, ...]]:
    return st.lists(each, min_size=least, max_size=most).map(tuple)


def properties(name: st.SearchStrategy[str]) -> st.SearchStrategy[Property]:
    single = st.sampled_from([Relation.EQUAL, Relation.GREATER, Relation.LESS, Relation.UNEQUAL])
    return st.one_of(
        st.builds(Property, name, st.tuples(values), single),
        st.builds(Property, name, several(values, 1), st.sampled_from([Relation.ALL_OF, Relation.ONE_OF])),
        st.builds(Property, name, st.tuples(values, values), st.just(Relation.RANGE)),
    )


def optional(each: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | each


booleans = optional(st.booleans())
controls = st.builds(LocalControl, optional(st.sampled_from(StreamMode)), booleans, booleans, several(properties(items))).filter(
    lambda each: each != LocalControl()
)
raws = st.sampled_from([Raw("Statistics", "{a/b=1}"), Raw("SA", '{a/b[1,"x y"]}')])


def streams(number: st.SearchStrategy[int | None]) -> st.SearchStrategy[Stream]:
    made = st.builds(Stream, number, optional(controls), optional(sdp), optional(sdp), several(raws, most=1))
    return made.filter(lambda each: each.control is not None or each.local is not None or each.remote is not None or each.extras)


states = st.builds(
    TerminationState,
    optional(st.sampled_from(ServiceState)),
    optional(st.sampled_from(EventBufferControl)),
    several(properties(items)),
).filter(lambda each: each != TerminationState())
media = st.builds(Media, several(streams(uint16)) | st.tuples(streams(st.none())), optional(states))
bodies = st.sampled_from(["(0|1x.)", "T:10,S:3,([1-4]xx|9x.)", "x", ""])
digit_maps = st.builds(DigitMapDescriptor, names, optional(bodies)) | st.builds(DigitMapDescriptor, st.just(""), bodies)
signals_each = st.builds(
    Signal,
    items,
    several(properties(names)),
    optional(st.sampled_from(SignalType)),
    optional(uint16),
    optional(uint16),
    st.booleans(),
    several(st.sampled_from(CompletionReason)),
)
signals = st.builds(Signals, several(signals_each | st.builds(SignalList, uint16, several(signals_each, 1))))


def events(embedded: st.SearchStrategy[Any]) -> st.SearchStrategy[Events]:
    requested = st.builds(
        RequestedEvent,
        items,
        several(properties(names)),
        optional(digit_maps),
        st.booleans(),
        optional(uint16),
        optional(signals),
        embedded,
        several(st.just(Raw("NeverNotify")), most=1),
    )
    return st.builds(Events, uint32, several(requested, 1)) | st.just(Events())


observed = st.builds(ObservedEvent, items, several(properties(names)), times, optional(uint16))
buffered = st.builds(ObservedEvent, items, several(properties(names)), st.just(""), optional(uint16))
mids = st.sampled_from(
    [MId.parse(text) for text in ("[192.0.2.1]:2944", "[192.0.2.1]", "[2001:db8::1]:1", "<gw.example>:2944", "MTP{12AB}", "gw/1")]
)
services = st.builds(
    Services,
    st.sampled_from(["", "X-Rest", *ServiceChangeMethod]),
    st.sampled_from(["", "901", "901 Cold Boot"]),
    optional(uint32),
    st.none() | uint16 | mids,
    st.none(),
    st.sampled_from(["", "ResGW/1"]),
    optional(st.integers(0, 99)),
    times,
    several(properties(st.sampled_from(["X-a", "x+b1"]))),
    several(st.just(Raw("SIC")), most=1),
).filter(lambda each: each != Services())
errors = st.builds(ErrorDescriptor, st.integers(0, 9999), plain)
statistics = st.builds(Statistics, several(properties(items) | st.builds(Property, items, st.just(()))))
audits = st.builds(Audit, several(st.sampled_from(["Media", "Events", "Packages", Raw("Media", "{LocalControl{Mode}}")])))
descriptors = st.one_of(
    media,
    events(optional(events(st.none()))),
    signals,
    digit_maps,
    audits,
    services,
    statistics,
    errors,
    st.builds(ObservedEvents, uint32, several(observed, 1)) | st.just(ObservedEvents()),
    st.builds(EventBuffer, several(buffered)),
    st.builds(Packages, several(st.builds(Package, names, uint16))),
    st.sampled_from([Raw("Modem", "[V18,V90]{x/y=1}"), Raw("Mux", "=H221{a,b}"), Raw("Topology", "{a,b,Bothway}")]),
)
kinds = st.sampled_from(CommandKind)
commands = st.builds(Command, kinds, terminations, several(descriptors), st.booleans(), st.booleans())
extras = several(st.sampled_from([Raw("Topology", "{a,b,Bothway}"), Raw("ContextAudit", "{Priority}")]), most=1)
priorities = optional(uint16)
actions = st.builds(Action, uint32, several(commands, 1), priorities, st.booleans(), extras)
replies = st.builds(CommandReply, kinds, terminations, several(descriptors))
action_replies = st.builds(ActionReply, uint32, several(replies, 1), optional(errors), priorities, st.booleans(), extras)
ranges = st.tuples(uint32, uint32).map(lambda pair: (min(pair), max(pair)))
transactions = st.one_of(
    st.builds(TransactionRequest, uint32, several(actions, 1)),
    st.builds(TransactionReply, uint32, several(action_replies, 1), st.none(), st.booleans()),
    st.builds(TransactionReply, uint32, st.just(()), errors, st.booleans()),
    st.builds(TransactionPending, uint32),
    st.builds(TransactionResponseAck, several(ranges, 1)),
)
authentications = st.sampled_from(["", "0x12345678:0x00000001:0x" + "ab" * 12])
messages = st.one_of(
    st.builds(Message, mids, several(transactions, 1), st.none(), st.integers(1, 3), authentications),
    st.builds(Message, mids, st.just(()), errors, st.just(1), authentications),
)


@settings(max_examples=80, deadline=None)
@given(messages, st.booleans())
def test_decode_is_the_inverse_of_encode(sent: Message, compact: bool) -> None:
    octets = encode(sent, compact)
    assert decode(octets) == sent
    assert encode(decode(octets), compact) == octets


@settings(max_examples=300, deadline=None)
@given(
    st.one_of(
        st.binary(max_size=200), st.text('aAlLtTmM=-${}[]()",;:/ \n1', max_size=60).map(lambda text: f"!/1 a\n{text}".encode())
    )
)
def test_nothing_but_a_remote_error_leaves_the_decoder(octets: bytes) -> None:
    try:
        read = decode(octets)
    except RemoteError as error:
        assert error.code is not None
    else:
        assert decode(encode(read)) == read
