"""A phone's registration (figure 6A): ports and controllers that fail, and answers that are no registration."""

from collections.abc import Iterable
from ipaddress import IPv4Address
from random import Random
from typing import Any

import pytest

from voxpath.core.effects import Datagram, Emit, Failed, Open, Send
from voxpath.megaco import wire
from voxpath.megaco.message import TransactionRequest
from voxpath.model.address import Endpoint, Mac
from voxpath.model.phone import BootLease
from voxpath.model.ports import PortBlock
from voxpath.phone.attach import Stage
from voxpath.phone.event import PhoneNotRegistered, PhoneRegistered
from voxpath.phone.gateway import Gateway
from voxpath.phone.media import Media

PRIMARY, BACKUP, OTHER = (Endpoint(f"192.0.2.{number}", 2944) for number in (10, 11, 12))


def gateway(ports: int = 64, mgcs: tuple[Endpoint, ...] = (PRIMARY, BACKUP)) -> Gateway:
    block = PortBlock(IPv4Address("203.0.113.1"), 20032, ports)
    lease = BootLease(
        Mac(bytes([2, 0, 0, 0, 0, 1])),
        IPv4Address("10.0.0.11"),
        24,
        None,
        IPv4Address("10.0.0.1"),
        3600,
        "10.0.0.1",
        "",
        block,
        mgcs,
    )
    return Gateway(lease, 1, Random(1), lambda: Media(1000, Random(2)))


def sends(effects: Iterable[Any]) -> list[Send]:
    return [effect for effect in effects if isinstance(effect, Send)]


def events(effects: Iterable[Any], kind: type) -> list[Any]:
    return [effect.event for effect in effects if isinstance(effect, Emit) and isinstance(effect.event, kind)]


def transaction(send: Send) -> int:
    (request,) = wire.decode(send.payload).transactions
    assert isinstance(request, TransactionRequest)
    return request.id


def answer(phone: Gateway, effects: Iterable[Any], body: str, source: Endpoint = PRIMARY) -> list[Any]:
    """Answer the phone's registration; ``NUMBER`` in the text becomes its transaction id."""
    number = transaction(sends(list(effects))[-1])
    text = f"MEGACO/1 [{source.host}]:2944 Reply = {body.replace('NUMBER', str(number))}"
    return list(phone.receive(Datagram(text.encode(), source, port="megaco"), 1.0))


def test_it_registers_from_the_first_port_of_its_block_at_the_primary() -> None:
    """REG-4, REG-5, REG-21: source port from the range, primary first, ROOT, both addresses told."""
    effects = list(gateway().start(0.0))
    assert effects[0] == Open("megaco", Endpoint("10.0.0.11", 20032))
    (send,) = sends(effects)
    assert (send.destination, send.port) == (PRIMARY, "megaco")
    text = send.payload.decode()
    assert text.startswith("MEGACO/1 [10.0.0.11]:20032")
    assert "ROOT" in text
    assert '"203.0.113.1"' in text


def test_a_port_that_is_taken_leads_to_the_next_and_a_block_without_any_to_failure() -> None:
    """REG-2: no free port in the range is a failure, not an attempt from another port."""
    phone = gateway(ports=4)
    effects = list(phone.start(0.0))
    for port in (20033, 20034, 20035):
        effects = list(phone.resolve("megaco", Failed("address in use"), 0.0))
        assert Open("megaco", Endpoint("10.0.0.11", port)) in effects
    effects = list(phone.resolve("megaco", Failed("address in use"), 0.0))
    assert [event.reason for event in events(effects, PhoneNotRegistered)] == ["no port is free"]
    assert sends(effects) == []
    assert phone.stage is Stage.FAILED


def test_a_lease_without_controllers_is_a_failure() -> None:
    """REG-3."""
    phone = gateway(mgcs=())
    effects = list(phone.start(0.0))
    assert len(events(effects, PhoneNotRegistered)) == 1
    assert sends(effects) == []


@pytest.mark.parametrize(
    "body",
    [
        'NUMBER { Context = - { ServiceChange = ROOT { Error = 402 { "no" } } } }',
        'NUMBER { Error = 500 { "internal" } }',
        'NUMBER { Context = - { Error = 422 { "syntax" } } }',
        "NUMBER { Context = - { Modify = ROOT } }",
        "NUMBER { Context = - { ServiceChange = line/1 { Services { Version = 1 } } } }",
        "NUMBER { Context = - { ServiceChange = ROOT { Services { MgcIdToTry = <elsewhere.example> } } } }",
    ],
)
def test_an_answer_that_is_no_registration_is_a_failure(body: str) -> None:
    """REG-19: an error, another command, another termination, a controller without an address."""
    phone = gateway()
    effects = answer(phone, phone.start(0.0), body)
    assert len(events(effects, PhoneNotRegistered)) == 1
    assert phone.stage is Stage.FAILED
    due = phone.next_due()
    assert due is not None
    assert sends(list(phone.tick(due + 0.001)))[0].destination == PRIMARY


def test_an_answer_to_another_transaction_changes_nothing() -> None:
    """REG-19: the transaction's number has to be the request's."""
    phone = gateway()
    effects = list(phone.start(0.0))
    other = transaction(sends(effects)[0]) % 1000 + 1
    answer(phone, effects, f"{other} {{ Context = - {{ ServiceChange = ROOT }} }}")
    assert phone.stage is Stage.REGISTERING


def test_a_redirection_is_followed_once() -> None:
    """RFC 3525 11.2: the controller that is named comes before the list; a second redirection is refused."""
    phone = gateway()
    elsewhere = "NUMBER {{ Context = - {{ ServiceChange = ROOT {{ Services {{ MgcIdToTry = [{}]:2944 }} }} }} }}"
    effects = answer(phone, phone.start(0.0), elsewhere.format(OTHER.host))
    assert sends(effects)[-1].destination == OTHER
    effects = answer(phone, effects, elsewhere.format(BACKUP.host), OTHER)
    assert phone.stage is Stage.FAILED


def test_a_controller_that_names_itself_has_accepted() -> None:
    """Some controllers give their own identifier in every answer and mean no redirection."""
    phone = gateway()
    itself = f"NUMBER {{ Context = - {{ ServiceChange = ROOT {{ Services {{ MgcIdToTry = [{PRIMARY.host}]:2944 }} }} }} }}"
    effects = answer(phone, phone.start(0.0), itself)
    assert len(events(effects, PhoneRegistered)) == 1
    assert phone.controller == PRIMARY


def test_two_controllers_are_tried_and_then_the_phone_waits_at_random() -> None:
    """REG-8, decision D14: exactly the two addresses of the lease, then a pause, then the primary again."""
    phone = gateway()
    tried = [send.destination for send in sends(phone.start(0.0))]
    while phone.stage is not Stage.FAILED:
        due = phone.next_due()
        assert due is not None
        tried += [send.destination for send in sends(list(phone.tick(due)))]
    assert list(dict.fromkeys(tried)) == [PRIMARY, BACKUP]
    assert tried == [PRIMARY] * tried.count(PRIMARY) + [BACKUP] * tried.count(BACKUP)
    due = phone.next_due()
    assert due is not None
    assert sends(list(phone.tick(due)))[0].destination == PRIMARY
