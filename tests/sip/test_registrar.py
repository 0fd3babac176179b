"""The registrar: REGISTERs in, commits and answers out."""

from dataclasses import replace

import pytest

from tests.sip.desk import A1, AOR, HOME, OPEN, Desk, Ledger
from voxpath.core.effects import Delete, Put
from voxpath.model.address import Endpoint
from voxpath.model.contact import Contact
from voxpath.model.user import Algorithm, Showing
from voxpath.ports.directory import Directory, NoDirectory
from voxpath.sip import registrar as module
from voxpath.sip.binding import LONGEST_CONTACT
from voxpath.sip.digest import response_of, secret_of
from voxpath.sip.event import ContactBound, ContactUnbound, CredentialsRefused, ForeignContact, SipRefused
from voxpath.sip.header import credentials
from voxpath.sip.location import MOST_AT_ONCE
from voxpath.sip.message import Response
from voxpath.sip.registrar import LONGEST_NAME

CLOSED = replace(OPEN, open=False)
PRIVATE = "sip:a1-0x55@10.0.0.11:2048"
OTHER = Endpoint("203.0.113.2", 5060)
INSTANCE = '+sip.instance="<urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6>"'


def listed(answer: Response | None) -> list[str]:
    assert answer is not None
    assert answer.status == 200
    return answer.values("contact")


def authorization(challenged: Response | None, *, user: str = "a1", password: str = "secret", nc: str = "00000001") -> str:
    assert challenged is not None
    asked = credentials(challenged.value("www-authenticate"))[1]
    secret = secret_of(Algorithm.MD5, user, asked["realm"], password)
    response = response_of(Algorithm.MD5, secret, "REGISTER", "sip:voip.example", asked["nonce"], "auth", nc, "1")
    return (
        f'Digest username="{user}", realm="{asked["realm"]}", nonce="{asked["nonce"]}", uri="sip:voip.example", '
        f'response="{response}", qop=auth, cnonce="1", nc={nc}'
    )


# Binding.


def test_a_contact_is_bound_and_listed_with_its_time() -> None:
    desk = Desk()
    assert listed(desk.register(f"<{PRIVATE}>;expires=600")) == [f"<{PRIVATE}>;expires=600"]
    [contact] = desk.rows.values()
    assert contact == Contact(AOR, PRIVATE, PRIVATE, 1000, "203.0.113.1", 2048, "call", 1, 1600.0, 1000.0, "", "02:00:00:00:00:01")
    assert desk.location.of(AOR) == (contact,)


@pytest.mark.parametrize(
    ("contact", "headers", "expires_s"),
    [
        ("<sip:a1@h>;expires=100", {"expires": "200"}, 100),
        ("<sip:a1@h>", {"expires": "200"}, 200),
        ("<sip:a1@h>", {}, 3600),
        ("<sip:a1@h>;expires=99999", {}, 7200),
        ("<sip:a1@h>;expires=" + "9" * 300, {}, 7200),
        ("<sip:a1@h>;expires=soon", {"expires": "200"}, 3600),
        ("<sip:a1@h>", {"expires": "soon"}, 3600),
        ("<sip:a1@h>;expires=060", {}, 60),
    ],
)
def test_the_contact_says_for_how_long_else_the_request_else_the_server(
    contact: str, headers: dict[str, str], expires_s: int
) -> None:
    desk = Desk()
    assert listed(desk.register(contact, **headers)) == [f"<sip:a1@h>;expires={expires_s}"]


def test_the_answer_stands_behind_the_commit() -> None:
    desk = Desk()
    desk.holding = True
    assert desk.register(f"<{PRIVATE}>") is None
    assert desk.told(ContactBound) == []
    assert listed(desk.answer_next()) == [f"<{PRIVATE}>;expires=3600"]
    assert len(desk.told(ContactBound)) == 1


def test_several_contacts_are_listed_the_preferred_one_first() -> None:
    desk = Desk()
    answer = desk.register("<sip:a1@h1>;q=0.5, <sip:a1@h2>;q=1.0", "<sip:a1@h3>;q=0.05")
    assert listed(answer) == [
        "<sip:a1@h2>;expires=3600",
        "<sip:a1@h1>;expires=3600;q=0.500",
        "<sip:a1@h3>;expires=3600;q=0.050",
    ]


def test_an_answer_is_never_a_fragment_but_names_what_was_asked_for() -> None:
    """A request of a hundred octets must not fetch thousands, which go to whoever is named as its source."""
    desk = Desk()
    for number in range(10):
        desk.register(f"<sip:a1@h{number};x={'x' * 480}>;q=0.5")
    assert len(listed(desk.register())) == 2
    asked = [f"<sip:a1@h{number};x={'x' * 480}>;q=0.1" for number in (7, 8, 9)]
    answer = listed(desk.register(*asked))
    assert len(answer) == 3
    assert all(value.startswith(("<sip:a1@h7", "<sip:a1@h8", "<sip:a1@h9")) for value in answer)


def test_nobody_gets_a_long_list_by_repeating_the_numbers_of_a_registration() -> None:
    """Call-ID and CSeq prove nothing: a list that is not for the phone itself stays as short as any other answer."""
    desk = Desk()
    answer = desk.register(*[f"<sip:a1@h{number};x={'x' * 480}>" for number in range(10)], call_id="c", cseq=7)
    assert len(listed(answer)) == 10
    assert len(listed(desk.register(call_id="c", cseq=7))) == 2


def test_a_request_without_contact_lists_what_is_bound() -> None:
    desk = Desk()
    desk.register(f"<{PRIVATE}>;expires=600")
    desk.now += 100.0
    assert listed(desk.register(call_id="another")) == [f"<{PRIVATE}>;expires=500"]
    assert listed(desk.register(aor="a2@voip.example")) == []


def test_contacts_are_the_same_if_their_uris_are() -> None:
    desk = Desk()
    desk.register("<sip:a%31@HOST:5070;transport=UDP;x=1>")
    desk.register("<sip:a1@host:5070;transport=udp>")
    assert desk.uris() == ["sip:a1@host:5070;transport=udp"]


def test_a_phone_with_an_instance_has_one_contact_wherever_it_is() -> None:
    desk = Desk()
    desk.register(f"<sip:a1@10.0.0.11:2048>;{INSTANCE}")
    answer = desk.register(f"<sip:a1@10.0.0.11:2050>;{INSTANCE}", call_id="after a restart", source=OTHER)
    assert listed(answer) == [f"<sip:a1@10.0.0.11:2050>;expires=3600;{INSTANCE}"]
    assert len(desk.rows) == 1


def test_flows_of_one_instance_are_told_apart() -> None:
    desk = Desk()
    desk.register(f"<sip:a1@h1>;{INSTANCE};reg-id=1")
    answer = desk.register(f"<sip:a1@h2>;reg-id=2;{INSTANCE}")
    assert sorted(listed(answer)) == [
        f"<sip:a1@h1>;expires=3600;{INSTANCE};reg-id=1",
        f"<sip:a1@h2>;expires=3600;{INSTANCE};reg-id=2",
    ]


@pytest.mark.parametrize("instance", ['""', "x", '"<>"', '"<a b>"', '"urn:x"', f'"<{"x" * 200}>"'])
def test_an_instance_that_identifies_nothing_is_left_out(instance: str) -> None:
    desk = Desk()
    assert listed(desk.register(f"<{PRIVATE}>;+sip.instance={instance}")) == [f"<{PRIVATE}>;expires=3600"]


def test_the_same_contact_twice_in_one_request_counts_once() -> None:
    desk = Desk()
    assert listed(desk.register("<sip:a1@h>;expires=100", "<sip:a1@h>;expires=200")) == ["<sip:a1@h>;expires=200"]


def test_the_address_of_record_is_known_in_any_case_and_without_port() -> None:
    desk = Desk()
    desk.register(f"<{PRIVATE}>", aor="A1@VOIP.example:5070;transport=udp")
    assert desk.uris() == [PRIVATE]


# Order.


def test_a_refresh_is_stored_and_told_to_nobody() -> None:
    desk = Desk()
    desk.register(f"<{PRIVATE}>")
    events = list(desk.events)
    desk.now += 100.0
    assert listed(desk.register(f"<{PRIVATE}>")) == [f"<{PRIVATE}>;expires=3600"]
    [row] = desk.rows.values()
    assert (row.cseq, row.expires, row.since) == (2, 4700.0, 1000.0)
    assert desk.events == events


def test_a_contact_that_moves_is_told() -> None:
    desk = Desk()
    desk.register(f"<{PRIVATE}>")
    desk.register(f"<{PRIVATE}>", source=OTHER)
    assert [event.source for event in desk.told(ContactBound)] == ["203.0.113.1:2048", "203.0.113.2:5060"]
    assert desk.location.at_source(HOME) is None


def test_a_repeated_request_is_answered_without_a_commit() -> None:
    desk = Desk()
    desk.register(f"<{PRIVATE}>", cseq=7)
    desk.now += 1.0
    desk.holding = True
    assert listed(desk.register(f"<{PRIVATE}>", cseq=7)) == [f"<{PRIVATE}>;expires=3599"]
    assert desk.held == []


def test_a_repeated_request_whose_first_copy_is_being_stored_waits_for_that_answer() -> None:
    desk = Desk()
    desk.holding = True
    desk.register(f"<{PRIVATE}>", cseq=7)
    assert desk.register(f"<{PRIVATE}>", cseq=7) is None
    assert len(desk.held) == 1
    assert listed(desk.answer_next())
    assert len(desk.answers) == 1


def test_an_older_request_changes_nothing() -> None:
    desk = Desk()
    desk.register(f"<{PRIVATE}>", cseq=7)
    assert desk.refused(f"<{PRIVATE}>;expires=0", cseq=6) == 500
    assert desk.refused(f"<{PRIVATE}>;expires=0", cseq=7) == 500
    assert desk.refused("<sip:a1@new>", f"<{PRIVATE}>", cseq=6) == 500
    assert desk.refused("*", cseq=7, expires="0") == 500


def test_a_request_with_another_call_id_is_taken_whatever_its_number() -> None:
    desk = Desk()
    desk.register(f"<{PRIVATE}>", cseq=7)
    assert listed(desk.register(f"<{PRIVATE}>;expires=100", cseq=1, call_id="after a restart")) == [f"<{PRIVATE}>;expires=100"]


# Removal.


def test_a_contact_is_removed_by_expires_0() -> None:
    desk = Desk()
    desk.register(f"<{PRIVATE}>", "<sip:a1@other>")
    assert listed(desk.register(f"<{PRIVATE}>;expires=0")) == ["<sip:a1@other>;expires=3600"]
    assert [event.contact for event in desk.told(ContactUnbound)] == [PRIVATE]
    assert listed(desk.register("<sip:a1@other>", expires="0")) == []
    assert desk.rows == {}


def test_what_is_not_bound_is_removed_without_a_word() -> None:
    desk = Desk()
    desk.holding = True
    assert listed(desk.register(f"<{PRIVATE}>;expires=0")) == []
    assert desk.held == []


def test_a_star_removes_all() -> None:
    desk = Desk()
    desk.register("<sip:a1@h1>", "<sip:a1@h2>")
    desk.register("<sip:a2@h3>", aor="a2@voip.example")
    assert listed(desk.register("*", expires="0")) == []
    assert [row.uri for row in desk.rows.values()] == ["sip:a2@h3"]


@pytest.mark.parametrize(
    ("contacts", "headers"),
    [(["*"], {}), (["*"], {"expires": "1"}), (["*"], {"expires": "zero"}), (["*", "<sip:a1@h>"], {"expires": "0"})],
)
def test_a_star_stands_alone_and_with_expires_0(contacts: list[str], headers: dict[str, str]) -> None:
    desk = Desk()
    desk.register(f"<{PRIVATE}>")
    assert desk.refused(*contacts, **headers) == 400


def test_removal_and_binding_in_one_request_are_one_commit() -> None:
    desk = Desk()
    desk.register("<sip:a1@h1>")
    desk.holding = True
    desk.register("<sip:a1@h1>;expires=0", "<sip:a1@h2>")
    [commit] = desk.held
    assert [type(change) for change in commit.changes] == [Delete, Put]


# Refusals.


def test_a_brief_interval_is_refused_with_the_shortest_one() -> None:
    desk = Desk(min_expires_s=90)
    answer = desk.register("<sip:a1@h1>;expires=90", "<sip:a1@h2>;expires=89")
    assert answer is not None
    assert (answer.status, answer.value("min-expires")) == (423, "90")
    assert desk.rows == {}
    assert [event.status for event in desk.told(SipRefused)] == [423]


def test_too_many_contacts_are_refused_as_a_whole() -> None:
    desk = Desk(max_contacts=2)
    assert desk.refused("<sip:a1@h1>", "<sip:a1@h2>", "<sip:a1@h3>") == 403
    desk.register("<sip:a1@h1>", "<sip:a1@h2>")
    assert desk.refused("<sip:a1@h3>") == 403
    assert listed(desk.register("<sip:a1@h1>;expires=0", "<sip:a1@h3>"))
    assert sorted(desk.uris()) == ["sip:a1@h2", "sip:a1@h3"]


def test_contacts_that_are_too_many_since_the_configuration_changed_may_be_refreshed() -> None:
    desk = Desk(max_contacts=1)
    rows = [Contact(AOR, f"sip:a1@h{n}", f"sip:a1@h{n}", 1000, "203.0.113.1", 2048, "c", 1, 2000.0, 0.0, "", AOR) for n in (1, 2)]
    desk.registrar.load(rows, desk.now)
    assert len(listed(desk.register("<sip:a1@h1>"))) == 2


def test_a_full_table_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_BINDINGS", 2)
    desk = Desk()
    desk.register("<sip:a1@h1>", "<sip:a1@h2>")
    assert desk.refused("<sip:a2@h3>", aor="a2@voip.example") == 503
    assert listed(desk.register("<sip:a1@h1>"))


@pytest.mark.parametrize(
    ("more", "status"),
    [
        ({"aor": "a1@elsewhere.example"}, 404),
        ({"uri": "sip:elsewhere.example"}, 404),
        ({"aor": "voip.example"}, 404),
        ({"aor": "x" * LONGEST_NAME + "@voip.example"}, 404),
        ({"call_id": "x" * (LONGEST_NAME + 1)}, 400),
        ({"call_id": "\udcff"}, 400),
        ({"uri": "tel:123"}, 416),
    ],
)
def test_what_cannot_be_registered_is_refused(more: dict[str, str], status: int) -> None:
    assert Desk().refused("<sip:a1@h>", **more) == status


@pytest.mark.parametrize(
    ("contact", "status"),
    [
        ("<tel:123>", 416),
        ("<mailto:a@b>", 416),
        ("<sip:>", 400),
        ("nonsense", 400),
        ("<sip:a1@h>;q=2", 400),
        ("<sip:a1@h;x=\u0090>", 400),
        ("<sip:a1@h;x=" + "x" * LONGEST_CONTACT + ">", 400),
    ],
)
def test_a_contact_that_nobody_could_be_given_is_refused(contact: str, status: int) -> None:
    assert Desk().refused("<sip:a1@fine>", contact) == status


# Digest.


def test_nobody_is_bound_without_a_password() -> None:
    desk = Desk(domain=CLOSED)
    challenged = desk.register(f"<{PRIVATE}>")
    assert challenged is not None
    assert challenged.status == 401
    assert desk.rows == {}
    assert desk.events == []
    assert listed(desk.register(f"<{PRIVATE}>", authorization=authorization(challenged)))


def test_a_user_who_is_not_listed_is_challenged_like_one_who_is() -> None:
    desk = Desk(domain=CLOSED)
    known, unknown = desk.register(f"<{PRIVATE}>"), desk.register(f"<{PRIVATE}>", aor="nobody@voip.example")
    for challenged, user in ((known, "a1"), (unknown, "nobody")):
        again = desk.register(
            f"<{PRIVATE}>", aor=f"{user}@voip.example", authorization=authorization(challenged, user=user, password="x")
        )
        assert again is not None
        assert again.status == 401
        assert sorted(again.headers) == sorted(known.headers if known else {})
    assert [event.reason for event in desk.told(CredentialsRefused)] == ["the password is wrong", "there is no such user"]


def test_a_user_may_not_register_another_ones_address_of_record() -> None:
    desk = Desk(domain=CLOSED)
    challenged = desk.register(f"<{PRIVATE}>")
    answer = desk.register(f"<{PRIVATE}>", authorization=authorization(challenged, user="a2", password="other"))
    assert answer is not None
    assert answer.status == 403
    assert desk.rows == {}
    [event] = desk.told(CredentialsRefused)
    assert (event.user, event.aor) == ("a2", AOR)


def test_an_old_nonce_is_called_stale() -> None:
    desk = Desk(domain=CLOSED)
    given = authorization(desk.register(f"<{PRIVATE}>"))
    desk.now += 301.0
    answer = desk.register(f"<{PRIVATE}>", authorization=given)
    assert answer is not None
    assert credentials(answer.value("www-authenticate"))[1]["stale"] == "true"
    assert desk.events == []


def test_a_retransmission_of_right_credentials_is_answered_like_the_first() -> None:
    desk = Desk(domain=CLOSED)
    given = authorization(desk.register(f"<{PRIVATE}>"))
    assert listed(desk.register(f"<{PRIVATE}>", cseq=9, authorization=given))
    assert listed(desk.register(f"<{PRIVATE}>", cseq=9, authorization=given))
    stolen = desk.register("<sip:thief@203.0.113.66>", cseq=9, authorization=given)
    assert stolen is not None
    assert stolen.status == 401


@pytest.mark.parametrize(("source", "seconds"), [(HOME, 1.0), (HOME, 250.0), (Endpoint(HOME.host, 40000), 1.0)])
def test_a_replay_does_not_bring_back_what_was_removed(source: Endpoint, seconds: float) -> None:
    """Whoever has seen the REGISTER could otherwise take the calls of somebody who has gone."""
    desk = Desk(domain=CLOSED)
    given = authorization(desk.register(f"<{PRIVATE}>"))
    assert listed(desk.register(f"<{PRIVATE}>", cseq=9, authorization=given))
    anew = authorization(desk.register("*", expires="0"))
    assert listed(desk.register("*", cseq=10, expires="0", authorization=anew)) == []
    desk.now += seconds
    answer = desk.register(f"<{PRIVATE}>", cseq=9, authorization=given, source=source)
    assert answer is not None
    assert credentials(answer.value("www-authenticate"))[1]["stale"] == "true"
    assert desk.rows == {}


def test_a_replay_from_another_port_does_not_move_a_binding() -> None:
    desk = Desk(domain=CLOSED)
    given = authorization(desk.register(f"<{PRIVATE}>"))
    assert listed(desk.register(f"<{PRIVATE}>", cseq=9, authorization=given))
    answer = desk.register(f"<{PRIVATE}>", cseq=9, authorization=given, source=Endpoint(HOME.host, 40000))
    assert answer is not None
    assert answer.status == 401
    assert [row.source for row in desk.rows.values()] == [HOME]


def test_malformed_credentials_are_refused() -> None:
    assert Desk(domain=CLOSED).refused(f"<{PRIVATE}>", authorization='Digest realm="voxpath"') == 400


def test_an_open_domain_asks_nobody_and_needs_no_list() -> None:
    desk = Desk(users=())
    assert listed(desk.register(f"<{PRIVATE}>", aor="guest@voip.example"))
    assert desk.location.of("guest@voip.example")[0].phone == "guest@voip.example"


# A store that refuses.


def test_a_contact_that_could_not_be_stored_is_not_bound() -> None:
    desk = Desk()
    desk.holding = True
    desk.register(f"<{PRIVATE}>")
    assert desk.uris() == [PRIVATE]
    assert desk.answer_next(fail=True).status == 500
    assert desk.uris() == []
    assert desk.told(ContactBound) == []
    assert [event.status for event in desk.told(SipRefused)] == [500]
    desk.holding = False
    assert listed(desk.register(f"<{PRIVATE}>"))


@pytest.mark.parametrize(
    ("first", "second", "expires_s"),
    [(False, False, 300), (False, True, 200), (True, False, 300), (True, True, 100)],
)
def test_of_two_refreshes_under_way_only_the_failed_ones_are_undone(first: bool, second: bool, expires_s: int) -> None:
    desk = Desk()
    desk.register(f"<{PRIVATE}>;expires=100")
    desk.holding = True
    desk.register(f"<{PRIVATE}>;expires=200")
    desk.register(f"<{PRIVATE}>;expires=300")
    assert desk.answer_next(fail=first).status == (500 if first else 200)
    assert desk.answer_next(fail=second).status == (500 if second else 200)
    assert desk.location.of(AOR) == tuple(desk.rows.values())
    assert desk.location.of(AOR)[0].expires == desk.now + expires_s


def test_a_removal_that_failed_leaves_the_contact() -> None:
    desk = Desk()
    desk.register(f"<{PRIVATE}>")
    desk.holding = True
    desk.register("*", expires="0")
    assert desk.uris() == []
    assert desk.answer_next(fail=True).status == 500
    assert desk.uris() == [PRIVATE]
    assert desk.told(ContactUnbound) == []


def test_a_query_does_not_tell_of_what_is_not_stored_yet() -> None:
    desk = Desk()
    desk.holding = True
    desk.register(f"<{PRIVATE}>")
    assert desk.register(call_id="query") is None
    desk.answer_next()
    assert listed(desk.answer_next()) == [f"<{PRIVATE}>;expires=3600"]


def test_an_answer_lists_nothing_that_failed_or_may_still_fail() -> None:
    """A phone that trusts such an answer would not register again."""
    desk = Desk()
    desk.register("<sip:a1@h0>")
    desk.holding = True
    desk.register("<sip:a1@h1>")
    desk.register(call_id="query")
    desk.register("<sip:a1@h2>", "<sip:a1@h0>;expires=0")
    desk.register("<sip:a1@h3>")
    assert desk.answer_next(fail=True).status == 500
    assert listed(desk.answer_next()) == ["<sip:a1@h0>;expires=3600"]
    assert listed(desk.answer_next()) == ["<sip:a1@h2>;expires=3600"]
    assert sorted(listed(desk.answer_next())) == ["<sip:a1@h2>;expires=3600", "<sip:a1@h3>;expires=3600"]


def test_nothing_stays_in_memory_of_what_was_under_way() -> None:
    desk = Desk()
    desk.holding = True
    for fail in (False, True, False):
        desk.register(f"<{PRIVATE}>")
        desk.register("<sip:a1@h1>;expires=0", "<sip:a1@h2>")
        desk.answer_next(fail=fail)
        desk.answer_next(fail=not fail)
    assert not desk.registrar._under_way
    assert not len(desk.registrar._unsettled)


# Time.


def test_a_binding_that_is_not_refreshed_ends() -> None:
    desk = Desk()
    desk.register("<sip:a1@h1>;expires=100", "<sip:a1@h2>;expires=200")
    desk.wait(100.0)
    assert desk.uris() == ["sip:a1@h2"]
    assert [row.uri for row in desk.rows.values()] == ["sip:a1@h2"]
    assert [(event.contact, event.reason) for event in desk.told(ContactUnbound)] == [("sip:a1@h1", "it expired")]


def test_a_binding_that_is_refreshed_lives() -> None:
    desk = Desk()
    for _ in range(100):
        desk.register("<sip:a1@h1>;expires=100")
        desk.wait(60.0)
    assert desk.uris() == ["sip:a1@h1"]
    assert desk.told(ContactUnbound) == []


def test_a_binding_that_has_just_ended_is_not_listed_any_more() -> None:
    desk = Desk()
    desk.register("<sip:a1@h1>;expires=100")
    desk.now += 100.0
    assert listed(desk.register()) == []


def test_a_binding_that_was_made_again_in_the_moment_of_its_end_is_kept() -> None:
    desk = Desk()
    desk.register("<sip:a1@h1>;expires=100")
    desk.holding = True
    desk.wait(100.0)
    desk.register("<sip:a1@h1>;expires=100")
    desk.holding = False
    while desk.held:
        desk.answer_next()
    assert desk.uris() == ["sip:a1@h1"]
    assert [row.expires for row in desk.rows.values()] == [1200.0]


def test_a_shorter_refresh_that_ends_before_it_fails_takes_the_longer_one_along() -> None:
    desk = Desk()
    desk.register("<sip:a1@h1>;expires=500")
    desk.holding = True
    desk.register("<sip:a1@h1>;expires=60")
    desk.wait(61.0)
    assert desk.answer_next(fail=True).status == 500
    assert desk.uris() == []
    desk.answer_next()
    assert desk.rows == {}


def test_rows_whose_deletion_failed_are_not_bound_again() -> None:
    desk = Desk()
    desk.register("<sip:a1@h1>;expires=60")
    desk.holding = True
    desk.wait(61.0)
    desk.answer_next(fail=True)
    desk.wait(1.0)
    assert desk.held == []
    assert desk.uris() == []


# Start.


def row(aor: str, *, expires: float = 2000.0, uri: str = PRIVATE) -> Contact:
    return Contact(aor, uri, uri, 1000, "203.0.113.1", 2048, "call", 1, expires, 500.0, "", aor)


def loaded(desk: Desk, *rows: Contact) -> None:
    desk.rows = {(each.aor, each.key): each for each in rows}
    desk.registrar.load(rows, desk.now)


def test_bindings_of_users_who_are_not_configured_any_more_are_dropped() -> None:
    desk = Desk(domain=CLOSED)
    loaded(desk, row(AOR), row("gone@voip.example"), row("a1@gone.example"))
    assert list(desk.location) == [row(AOR)]
    desk.wait(0.0)
    assert list(desk.rows.values()) == [row(AOR)]
    assert {event.aor: event.reason for event in desk.told(ContactUnbound)} == {
        "gone@voip.example": "the configuration has no such user any more",
        "a1@gone.example": "the configuration has no such user any more",
    }


def test_an_open_domain_keeps_bindings_of_users_who_are_not_listed() -> None:
    desk = Desk(users=())
    loaded(desk, row("guest@voip.example"))
    assert desk.uris("guest@voip.example") == [PRIVATE]


def test_bindings_that_ended_while_the_server_was_down_are_dropped_and_told() -> None:
    desk = Desk()
    loaded(desk, row(AOR, expires=999.0))
    assert desk.uris() == []
    desk.wait(0.0)
    assert desk.rows == {}
    assert [event.reason for event in desk.told(ContactUnbound)] == ["it expired while the server was down"]


def test_a_row_that_was_bound_again_before_it_was_dropped_stays() -> None:
    desk = Desk()
    loaded(desk, row(AOR, expires=999.0))
    desk.register(f"<{PRIVATE}>")
    desk.wait(0.0)
    assert [each.expires for each in desk.rows.values()] == [4600.0]


def test_many_rows_are_dropped_in_portions() -> None:
    desk = Desk(domain=CLOSED)
    loaded(desk, *(row(f"gone{number}@voip.example") for number in range(MOST_AT_ONCE + 1)))
    desk.holding = True
    desk.wait(0.0)
    assert [len(commit.changes) for commit in desk.held] == [MOST_AT_ONCE, 1]


# Who it is.


def test_the_phone_is_the_one_that_the_ledger_knows() -> None:
    desk = Desk(directory=Ledger())
    desk.register("<sip:a2@10.0.0.12:2112>", aor="a2@voip.example", source=Endpoint("203.0.113.1", 2112))
    [contact] = desk.rows.values()
    assert contact.phone == "02:00:00:00:00:02"
    [event] = desk.told(ContactBound)
    assert event.phone == "02:00:00:00:00:02"
    assert "10.0.0.12:2112" in event.place


def test_else_it_is_the_one_of_the_configuration_else_the_user() -> None:
    desk = Desk()
    desk.register("<sip:a1@h>")
    desk.register("<sip:a2@h>", aor="a2@voip.example")
    assert [each.phone for each in desk.rows.values()] == ["02:00:00:00:00:01", "a2@voip.example"]


def test_a_ledger_that_comes_late_names_the_phone_at_its_next_refresh() -> None:
    ledger = Ledger()
    blocks, ledger.blocks = ledger.blocks, []
    desk = Desk(directory=ledger)
    source = Endpoint("203.0.113.1", 2112)
    desk.register("<sip:a2@10.0.0.12:2112>", aor="a2@voip.example", source=source)
    ledger.blocks = blocks
    desk.register("<sip:a2@10.0.0.12:2112>", aor="a2@voip.example", source=source)
    [contact] = desk.rows.values()
    assert contact.phone == "02:00:00:00:00:02"
    assert len(desk.told(ContactBound)) == 1


def test_a_combination_contact_of_another_phone_is_told() -> None:
    desk = Desk(directory=Ledger())
    desk.register("<sip:a1@203.0.113.1:2112>")
    [event] = desk.told(ForeignContact)
    assert (event.phone, event.holder) == ("02:00:00:00:00:01", "02:00:00:00:00:02")
    desk.register("<sip:a1@203.0.113.1:2112>")
    assert len(desk.told(ForeignContact)) == 1


def test_a_combination_contact_of_its_own_is_left_alone() -> None:
    desk = Desk(directory=Ledger())
    assert listed(desk.register("<sip:a1@203.0.113.1:2050>")) == ["<sip:a1@203.0.113.1:2050>;expires=3600"]
    assert desk.told(ForeignContact) == []


@pytest.mark.parametrize("directory", [Ledger(), NoDirectory()])
def test_a_user_who_shows_it_by_gruu_is_given_the_combination_address(directory: Directory) -> None:
    desk = Desk(users=(replace(A1, showing=Showing.GRUU),), directory=directory)
    desk.register("<sip:a1@elsewhere>", source=OTHER, call_id="another phone")
    answer = desk.register(f"<{PRIVATE}>;expires=600", aor="A1@voip.example")
    assert f'<{PRIVATE}>;expires=600;pub-gruu="sip:A1@203.0.113.1:2048"' in listed(answer)
    assert [value for value in listed(answer) if "gruu" in value and "elsewhere" in value] == []
    assert "pub-gruu" in " ".join(listed(desk.register()))


def test_others_are_given_no_gruu() -> None:
    desk = Desk(directory=Ledger())
    assert "gruu" not in " ".join(listed(desk.register(f"<{PRIVATE}>", supported="gruu")))


def test_names_from_the_wire_are_made_printable() -> None:
    desk = Desk()
    desk.register("<sip:a1@h>", user_agent="evil\x1b[2Jphone" + "x" * 100)
    [contact] = desk.rows.values()
    assert contact.agent.startswith("evil\\x1b[2Jphone")
    assert len(contact.agent) < 80
