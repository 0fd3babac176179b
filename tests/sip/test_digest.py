"""Digest authentication: the RFCs' own examples, challenges that cost nothing, and credentials of every kind."""

import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from voxpath.core.errors import LocalError, RemoteError
from voxpath.model.address import Endpoint
from voxpath.model.user import Algorithm, SipDomain, SipUser
from voxpath.sip import digest as module
from voxpath.sip.digest import LONGEST_CREDENTIALS, MOST_CREDENTIALS, Digest, Verdict, response_of, secret_of
from voxpath.sip.header import credentials
from voxpath.sip.message import Request
from voxpath.sip.nonce import REPEATED_S, NonceCounts, Nonces, Use
from voxpath.sip.settings import SipSettings

HOST = "203.0.113.1"
SOURCE = Endpoint(HOST, 2048)
DOMAIN = SipDomain("voip.example", "voxpath")
ALL = replace(DOMAIN, algorithms=(Algorithm.SHA_512_256, Algorithm.SHA_256, Algorithm.MD5))
ALICE = SipUser("Alice", "voip.example", "secret")
REQUEST_URI = "sip:voip.example"
NOW = 1_800_000_000.0


def make_digest(domain: SipDomain = DOMAIN, *, secret: bytes = b"key", users: tuple[SipUser, ...] = (ALICE,)) -> Digest:
    return Digest(SipSettings(domains=(domain,), users={user.aor: user for user in users}), secret)


def nonce_of(digest: Digest, domain: SipDomain = DOMAIN, host: str = HOST, now: float = NOW) -> str:
    return credentials(digest.challenge(domain, host, now)[0][1])[1]["nonce"]


def written(nonce: str, *, algorithm: Algorithm = Algorithm.MD5, password: str = "secret", **other: str) -> str:
    """What a phone writes into Authorization; a parameter that is empty is left out."""
    params = {
        "username": "Alice",
        "realm": "voxpath",
        "nonce": nonce,
        "uri": REQUEST_URI,
        "algorithm": algorithm.value,
        "qop": "auth",
        "nc": "00000001",
        "cnonce": "0a4f113b",
    }
    method = other.pop("method", "REGISTER")
    params.update(other)
    secret = secret_of(algorithm, params["username"], params["realm"], password)
    use = (params["qop"], params["nc"], params["cnonce"])
    params.setdefault("response", response_of(algorithm, secret, method, params["uri"], nonce, *use))
    bare = ("algorithm", "qop", "nc")
    return "Digest " + ", ".join(
        f"{name}={value}" if name in bare else f'{name}="{value}"' for name, value in params.items() if value
    )


def verify(digest: Digest, *values: str, domain: SipDomain = DOMAIN, source: Endpoint = SOURCE, now: float = NOW) -> Verdict:
    request = Request("REGISTER", REQUEST_URI, {"authorization": list(values)})
    return digest.verify(request, "\n".join(values).encode("utf-8", "surrogateescape"), domain, source, now)


# The functions.


@pytest.mark.parametrize(
    ("algorithm", "response"),
    [
        (Algorithm.MD5, "8ca523f5e9506fed4657c9700eebdbec"),
        (Algorithm.SHA_256, "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
    ],
)
def test_responses_are_those_of_rfc_7616_section_3_9_1(algorithm: Algorithm, response: str) -> None:
    secret = secret_of(algorithm, "Mufasa", "http-auth@example.org", "Circle of Life")
    nonce, cnonce = "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"
    assert response_of(algorithm, secret, "GET", "/dir/index.html", nonce, "auth", "00000001", cnonce) == response


def test_the_response_is_that_of_rfc_7616_section_3_9_2_as_erratum_4897_corrects_it() -> None:
    secret = secret_of(Algorithm.SHA_512_256, "J\u00e4s\u00f8n Doe", "api@example.org", "Secret, or not?")
    nonce, cnonce = "5TsQWLVdgBdmrQ0XsxbDODV+57QdFR34I9HAbC/RVvkK", "NTg6RKcb9boFIAS3KrFK9BGeh+iDa/sm6jUMp2wds69v"
    response = response_of(Algorithm.SHA_512_256, secret, "GET", "/doe.json", nonce, "auth", "00000001", cnonce)
    assert response == "3798d4131c277846293534c3edc11bd8a5e4cdcbff78b05db9d95eeb1cec68a5"


def test_the_response_is_that_of_rfc_2617_section_3_5() -> None:
    secret = secret_of(Algorithm.MD5, "Mufasa", "testrealm@host.com", "Circle Of Life")
    nonce = "dcd98b7102dd2f0e8b11d0f600bfb0c093"
    response = response_of(Algorithm.MD5, secret, "GET", "/dir/index.html", nonce, "auth", "00000001", "0a4f113b")
    assert response == "6629fae49393a05397450978507c4ef1"


def test_the_response_without_qop_is_that_of_rfc_2069_as_its_errata_correct_it() -> None:
    secret = secret_of(Algorithm.MD5, "Mufasa", "testrealm@host.com", "CircleOfLife")
    nonce = "dcd98b7102dd2f0e8b11d0f600bfb0c093"
    assert response_of(Algorithm.MD5, secret, "GET", "/dir/index.html", nonce, "", "", "") == "1949323746fe6a43ef61f9606e7febea"


# Challenges.


def test_a_challenge_offers_md5_alone_unless_more_is_configured() -> None:
    ((name, value),) = make_digest().challenge(DOMAIN, HOST, NOW)
    assert name == "WWW-Authenticate"
    assert re.fullmatch(r'Digest realm="voxpath", nonce="[0-9a-f]+", algorithm=MD5, qop="auth"', value)


def test_a_challenge_offers_what_is_configured_the_preferred_one_first() -> None:
    values = [credentials(value)[1] for _, value in make_digest(ALL).challenge(ALL, HOST, NOW)]
    assert [value["algorithm"] for value in values] == ["SHA-512-256", "SHA-256", "MD5"]
    assert len({value["nonce"] for value in values}) == 1


def test_a_stale_challenge_says_so() -> None:
    ((_, value),) = make_digest().challenge(DOMAIN, HOST, NOW, stale=True)
    assert credentials(value)[1]["stale"] == "true"


def test_phones_behind_one_address_get_different_nonces_at_the_same_moment() -> None:
    digest = make_digest()
    assert nonce_of(digest) != nonce_of(digest)


def test_an_algorithm_that_the_machine_does_not_have_cannot_be_configured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(module._HASHES, Algorithm.SHA_512_256, "not-there")
    with pytest.raises(LocalError, match="has no SHA-512-256: leave it out"):
        make_digest(ALL)
    assert make_digest()


# Credentials that are right.


@pytest.mark.parametrize("algorithm", list(Algorithm))
def test_the_right_password_shows_the_user(algorithm: Algorithm) -> None:
    digest = make_digest(ALL)
    assert verify(digest, written(nonce_of(digest), algorithm=algorithm), domain=ALL) == Verdict(ALICE, "Alice")


def test_an_old_phone_may_leave_out_qop_and_algorithm() -> None:
    digest = make_digest()
    value = written(nonce_of(digest), algorithm=Algorithm.MD5, qop="", nc="", cnonce="").replace("algorithm=MD5, ", "")
    assert "qop" not in value
    assert "algorithm" not in value
    assert verify(digest, value).user == ALICE


def test_names_in_any_case_and_a_response_in_upper_case_are_taken() -> None:
    digest = make_digest()
    value = written(nonce_of(digest))
    response = credentials(value)[1]["response"]
    value = (
        value.replace(response, response.upper()).replace("MD5", "md5").replace("username", "UserName").replace("Digest", "DIGEST")
    )
    assert verify(digest, value).user == ALICE


@pytest.mark.parametrize(
    "uri", ["sip:voip.example", "sip:voip.example:5060", "sip:VOIP.example;transport=udp", "sip:alice@voip.example"]
)
def test_the_uri_of_credentials_may_be_written_in_another_way(uri: str) -> None:
    digest = make_digest()
    assert verify(digest, written(nonce_of(digest), uri=uri)).user == ALICE


def test_credentials_for_other_realms_and_of_other_schemes_are_passed_over() -> None:
    digest = make_digest()
    other = written("n", realm="elsewhere")
    assert verify(digest, other, "NoOneKnowsThisScheme opaque-data=here", written(nonce_of(digest))).user == ALICE
    assert verify(digest, other, "Basic QWxpY2U6c2VjcmV0", "NoOneKnowsThisScheme opaque-data=here") == Verdict(None)


def test_a_user_name_that_is_no_utf_8_is_refused_like_any_other() -> None:
    digest = make_digest()
    assert verify(digest, written(nonce_of(digest), username="J\udce4s")).reason == "there is no such user"


# Credentials that are wrong.


@pytest.mark.parametrize(
    ("other", "reason"),
    [
        ({"password": "guess"}, "the password is wrong"),
        ({"username": "bob"}, "there is no such user"),
        ({"username": "alice"}, "there is no such user"),
        ({"username": ""}, None),
        ({"method": "INVITE"}, "the password is wrong"),
        ({"uri": "sip:other.example"}, "they were made for another Request-URI"),
        ({"uri": "no uri"}, "they were made for another Request-URI"),
        ({"algorithm": Algorithm.SHA_256}, "algorithm SHA-256 is not offered"),
        ({"qop": "auth-int"}, "qop auth-int is not offered"),
        ({"response": "\udcff"}, "the password is wrong"),
    ],
)
def test_what_is_wrong_is_told_to_the_operator_and_to_nobody_else(other: dict[str, str], reason: str | None) -> None:
    digest = make_digest()
    value = written(nonce_of(digest), **other)
    if reason is None:
        with pytest.raises(RemoteError, match="credentials without username"):
            verify(digest, value)
        return
    verdict = verify(digest, value)
    assert verdict.user is None
    assert verdict.reason == reason
    assert not verdict.stale


def test_newer_algorithms_are_not_taken_without_qop() -> None:
    digest = make_digest(ALL)
    value = written(nonce_of(digest), algorithm=Algorithm.SHA_256, qop="", nc="", cnonce="")
    assert verify(digest, value, domain=ALL).reason == "qop is missing, which SHA-256 needs"


def test_a_password_opens_no_other_domain() -> None:
    other = SipDomain("other.example", "voxpath")
    settings = SipSettings(domains=(DOMAIN, other), users={ALICE.aor: ALICE})
    digest = Digest(settings, b"key")
    assert verify(digest, written(nonce_of(digest, other)), domain=other).reason == "there is no such user"


@pytest.mark.parametrize(
    "value",
    [
        "Digest realm=voxpath",
        'Digest realm="voxpath", username="Alice", nonce="1", uri="sip:voip.example"',
        'Digest realm="voxpath", username="Alice", nonce="1", uri="sip:voip.example", response="0", qop=auth',
        'Digest realm="voxpath", username="Alice", nonce="1", uri="sip:voip.example", response="0", qop=auth, cnonce="1", nc=1',
        'Digest realm="voxpath", realm="voxpath"',
        'Digest realm="voxpath',
        "Digest " + "x" * LONGEST_CREDENTIALS,
    ],
)
def test_malformed_credentials_are_refused_with_400(value: str) -> None:
    with pytest.raises(RemoteError) as caught:
        verify(make_digest(), value)
    assert caught.value.code == 400


def test_credentials_are_bounded_in_number() -> None:
    with pytest.raises(RemoteError):
        verify(make_digest(), *["Basic x"] * (MOST_CREDENTIALS + 1))


def test_an_unknown_user_costs_the_same_hashes_as_a_known_one(monkeypatch: pytest.MonkeyPatch) -> None:
    digest = make_digest()
    nonce = nonce_of(digest)
    plain, hashed = module.hash_of, []
    values = [written(nonce, username=name, password="guess") for name in ("Alice", "bob")]
    monkeypatch.setattr(module, "hash_of", lambda algorithm, text: hashed.append(len(text)) or plain(algorithm, text))
    costs = []
    for value in values:
        hashed.clear()
        verify(digest, value)
        costs.append(list(hashed))
    assert costs[0] == costs[1] != []


# Nonces.


@pytest.mark.parametrize(
    "other",
    [{"now": NOW + 300.0}, {"now": NOW - 1.0}, {"source": Endpoint("203.0.113.2", 2048)}],
)
def test_the_right_password_with_a_nonce_that_does_not_hold_is_stale(other: dict[str, Any]) -> None:
    digest = make_digest()
    assert verify(digest, written(nonce_of(digest)), **other) == Verdict(None, "Alice", stale=True)


def test_a_nonce_of_another_server_or_of_another_run_is_stale() -> None:
    verdict = verify(make_digest(), written(nonce_of(make_digest(secret=b"other"))))
    assert verdict == Verdict(None, "Alice", stale=True)


def test_a_nonce_of_another_realm_is_stale() -> None:
    digest = make_digest()
    assert verify(digest, written(nonce_of(digest, replace(DOMAIN, realm="other")))).stale


def test_a_nonce_holds_until_the_end_of_its_life() -> None:
    digest = make_digest()
    assert verify(digest, written(nonce_of(digest)), now=NOW + 299.9).user == ALICE


def test_the_wrong_password_with_an_old_nonce_is_not_called_stale() -> None:
    digest = make_digest()
    verdict = verify(digest, written(nonce_of(digest), password="guess"), now=NOW + 1000.0)
    assert not verdict.stale
    assert verdict.reason


def test_the_nonce_count_must_grow() -> None:
    digest = make_digest()
    nonce = nonce_of(digest)
    assert verify(digest, written(nonce, nc="00000002")).user == ALICE
    assert verify(digest, written(nonce, nc="00000001")).stale
    assert verify(digest, written(nonce, nc="00000002", cnonce="another")).stale
    assert verify(digest, written(nonce, nc="0000000A")).user == ALICE


def test_a_retransmission_is_no_replay() -> None:
    digest = make_digest()
    value = written(nonce_of(digest))
    assert verify(digest, value) == Verdict(ALICE, "Alice")
    assert verify(digest, value, now=NOW + REPEATED_S - 1) == Verdict(ALICE, "Alice", repeated=True)


@pytest.mark.parametrize("other", [{"now": NOW + REPEATED_S}, {"source": Endpoint(HOST, 2049)}])
def test_the_same_message_later_or_from_another_port_is_a_replay(other: dict[str, Any]) -> None:
    digest = make_digest()
    value = written(nonce_of(digest))
    assert verify(digest, value).user == ALICE
    assert verify(digest, value, **other) == Verdict(None, "Alice", stale=True)


def test_copies_of_a_message_do_not_make_its_time_longer() -> None:
    digest = make_digest()
    value = written(nonce_of(digest))
    told = [verify(digest, value, now=NOW + seconds).stale for seconds in (0.0, 31.0, 62.0)]
    assert told == [False, False, True]


def test_credentials_that_were_seen_do_not_serve_for_another_message() -> None:
    digest = make_digest()
    value = written(nonce_of(digest))
    request = Request("REGISTER", REQUEST_URI, {"authorization": [value]})
    assert digest.verify(request, b"with the phone's contact", DOMAIN, SOURCE, NOW).user == ALICE
    assert digest.verify(request, b"with somebody else's contact", DOMAIN, SOURCE, NOW).stale


def test_a_nonce_without_a_count_serves_once() -> None:
    digest = make_digest()
    value = written(nonce_of(digest), qop="", nc="", cnonce="")
    request = Request("REGISTER", REQUEST_URI, {"authorization": [value]})
    assert digest.verify(request, b"first", DOMAIN, SOURCE, NOW).user == ALICE
    assert digest.verify(request, b"second", DOMAIN, SOURCE, NOW).stale


def test_wrong_credentials_leave_nothing_in_memory() -> None:
    digest = make_digest()
    for _ in range(10):
        verify(digest, written(nonce_of(digest), password="guess"))
    assert len(digest._counts) == 0
    verify(digest, written(nonce_of(digest)))
    assert len(digest._counts) == 1


def test_a_full_table_forgets_nonces_without_taking_them_again() -> None:
    counts = NonceCounts(300.0, most=2)
    for made in (1.0, 2.0, 3.0):
        assert counts.take(f"n{made}", made, 1, b"first", 10.0) is Use.NEW
    assert len(counts) == 2
    assert counts.take("n1.0", 1.0, 2, b"replay", 10.0) is Use.REFUSED
    assert counts.take("n0.5", 0.5, 1, b"as old as a forgotten one", 10.0) is Use.REFUSED
    assert counts.take("n3.0", 3.0, 2, b"next", 10.0) is Use.NEW
    assert counts.take("n4.0", 4.0, 1, b"new", 10.0) is Use.NEW


def test_nonces_that_do_not_live_any_more_make_room_for_others() -> None:
    counts = NonceCounts(300.0, most=100)
    for number in range(50):
        assert counts.take(f"n{number}", 0.0, 1, b"", 1.0) is Use.NEW
    assert counts.take("late", 1000.0, 1, b"", 1000.0) is Use.NEW
    assert len(counts) == 1
    assert counts.take("early but unknown", 999.0, 1, b"", 1000.0) is Use.NEW


@given(st.text() | st.from_regex(r"[0-9a-f]{48}", fullmatch=True))
def test_no_text_is_taken_for_a_nonce(text: str) -> None:
    assert Nonces(b"key", 300.0).made_at(text, "voxpath", HOST, NOW) is None


@given(st.integers(0, 47), st.sampled_from("0123456789abcdef"))
def test_a_nonce_cannot_be_changed(position: int, digit: str) -> None:
    nonces = Nonces(b"key", 300.0)
    nonce = nonces.make("voxpath", HOST, NOW)
    changed = nonce[:position] + digit + nonce[position + 1 :]
    assert nonces.made_at(changed, "voxpath", HOST, NOW) == (NOW if changed == nonce else None)


# Anything.

PARAMS = st.lists(
    st.tuples(
        st.sampled_from(["realm", "username", "nonce", "uri", "response", "algorithm", "qop", "nc", "cnonce", "x"]),
        st.sampled_from(["voxpath", "Alice", "auth", "MD5", "00000001", "0", "", "sip:voip.example", "\udcff"])
        | st.text(max_size=8),
        st.sampled_from(['{}="{}"', "{}={}", '{}="{}', "{}"]),
    ),
    max_size=12,
).map(lambda params: "Digest " + ", ".join(form.format(name, value) for name, value, form in params))


@given(PARAMS | st.binary(max_size=200).map(lambda octets: octets.decode("utf-8", "surrogateescape")))
@example("")
@example("Digest")
@example("digest ,")
def test_no_authorization_does_more_than_be_refused(value: str) -> None:
    try:
        verdict = verify(make_digest(), value)
    except RemoteError as error:
        assert error.code == 400
    else:
        assert verdict.user is None
        assert verdict.reason.isprintable()


@given(st.data())
def test_no_changed_character_of_right_credentials_does_harm(data: st.DataObject) -> None:
    digest = make_digest()
    value = written(nonce_of(digest))
    position = data.draw(st.integers(0, len(value) - 1))
    changed = value[:position] + data.draw(st.characters(codec="ascii")) + value[position + 1 :]
    try:
        verdict = verify(digest, changed)
    except RemoteError as error:
        assert error.code == 400
    else:
        assert verdict.user is None or verdict.user == ALICE
