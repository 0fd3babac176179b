"""Strict decoding: every error at once, each with the path of its key and with what to do."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxpath.app import reference
from voxpath.app.decode import FILE_LIMIT, PROBLEMS_LIMIT, decode, decode_partly
from voxpath.app.schema import Config
from voxpath.app.toml_text import SYNTAX_ERRORS
from voxpath.app.unread import Unread


def problems(text: str) -> dict[str, str]:
    return {problem.path: f"{problem.what}; {problem.todo}" for problem in decode(text.encode()).problems}


def test_an_empty_file_is_the_loopback_set() -> None:
    assert decode(b"") == (Config(), ())


def test_all_errors_are_told_at_once_with_their_paths() -> None:
    found = problems(
        """
        nam = "x"
        [tftp]
        blksize_max = 4
        listen = ["127.0.0.1:6969", "127.0.0.1"]
        [[scope]]
        name = "a"
        interface = "eth1"
        subnet = "10.0.0.1/24"
        server = "10.0.0.1"
        range = ["10.0.0.x", 5]
        [[scope]]
        range = ["10.0.0.10"]
        """
    )
    assert set(found) == {
        "nam",
        "tftp.blksize_max",
        "tftp.listen[1]",
        "scope[0].subnet",
        "scope[0].range[0]",
        "scope[0].range[1]",
        "scope[0].realm",
        "scope[1].name",
        "scope[1].interface",
        "scope[1].subnet",
        "scope[1].server",
        "scope[1].range",
        "scope[1].realm",
    }
    assert found["nam"] == "is not an option; did you mean name?"
    assert found["scope[0].realm"] == 'is missing; add realm = "site-a"'
    assert "write ADDRESS:PORT" in found["tftp.listen[1]"]
    assert found["tftp.blksize_max"] == "wanted: a whole number >= 8; write for example blksize_max = 512"


@pytest.mark.parametrize(
    ("text", "path", "words"),
    [
        ("nat = 1", "nat", "write [nat]"),
        ("scope = [1]", "scope[0]", "write [[scope]]"),
        ("[scope]", "scope", "write [[scope]]"),
        ("[log]\nlevel = 'debug'", "log.level", "'debug' is none of the choices; choose info, warning or error"),
        ("[log]\nlevel = 5", "log.level", "choose info, warning or error"),
        ("[[number]]\nnumber = '12a'\nphone = 'x'", "number[0].number", "wanted: 1 to 32 of 0-9, * and #; write"),
        ("[[number]]\nnumber = \"1\\n\"\nphone = 'x'", "number[0].number", "1 to 32"),
        ("[firewall]\nopen = ['tcp/ssh']", "firewall.open[0]", "'ssh' is no port from 1 to 65535, nor FIRST-LAST"),
        ("[firewall]\nopen = ['esp', 'udp/9-3']", "firewall.open[1]", "'9-3' is no port"),
        ("[firewall]\nopen = ['tcp/0']", "firewall.open[0]", "'0' is no port"),
        ("[firewall]\nopen = ['icmp']", "firewall.open[0]", "it begins with none of tcp/, udp/ and ah, esp"),
        ("[nat]\ntable = 'X'", "nat.table", "wanted: a lower-case letter"),
        ("[ports]\nquarantine_s = inf", "ports.quarantine_s", "finite"),
        ("[ports]\nquarantine_s = nan", "ports.quarantine_s", "wanted"),
        ("name = 1979-05-27", "name", "text"),
        ("[dhcp]\nmacs = ['02:00:00:00:00:02-02:00:00:00:00:01']", "dhcp.macs[0]", "comes before"),
        ("[mgc]\nlisten = ['127.0.0.1:0']", "mgc.listen[0]", "port 0"),
        ("[[reservation]]\nmac = 5\naddress = '10.0.0.1'", "reservation[0].mac", "as text such as"),
        ("a =", "", "no TOML"),
        ("[phone.static]\nadress = 1", "phone.static.adress", "did you mean address?"),
    ],
)
def test_each_error_says_what_to_do(text: str, path: str, words: str) -> None:
    assert words in problems(text)[path]


def test_what_can_be_read_is_kept_and_what_cannot_is_not_taken_for_its_default() -> None:
    config, problems = decode_partly(
        b'name = "a"\nstate = 5\n[dhcpp]\nx = 1\n[mgc]\nring_s = 7.0\n[log]\nlevl = 1\n[sip]\nnobody = 1\n'
        b'[[scope]]\nname = "lan"\nrealm = 5\n[[scope]]\nname = "far"\n[phone]\nstatic = 3\n[nat]\noutside = ["x", 5]\n'
    )
    assert config is not None
    assert (config.name, config.mgc.ring_s, config.sip.enabled, config.nat.backend) == ("a", 7.0, True, "auto")
    assert [scope.name for scope in config.scopes] == ["lan", "far"]
    for unread in (
        *(lambda: config.state, lambda: config.dhcp, lambda: config.log.level, lambda: config.scopes[0].realm),
        *(lambda: config.scopes[1].subnet, lambda: config.phone.static.address, lambda: config.nat.outside),
    ):
        with pytest.raises(Unread):
            unread()
    assert isinstance(config, Config)
    assert len(problems) == len({problem.path for problem in problems}) == 16
    assert decode_partly(b"a =").config is None


def test_broken_syntax_in_one_section_hides_nothing_of_the_others() -> None:
    """What is told once is not told again as something that is missing, and line numbers stay those of the file."""
    config, found = decode_partly(
        b'name = "a"\n[log]\nlevel = warning\n[[scope]]\nname = \n[[scope]]\nname = "far"\n'
        b"[sip]\nenabled = 5\n[sip]\n[mgc]\nring_s = 7.0\n"
    )
    assert config is not None
    assert [(problem.path, problem.what) for problem in found] == [
        ("", "no TOML: Invalid value (at line 3, column 9)"),
        ("", "no TOML: Invalid value (at line 5, column 8)"),
        ("", "no TOML: Cannot declare ('sip',) twice (at line 10, column 5)"),
    ]
    assert (config.name, config.mgc.ring_s) == ("a", 7.0)
    for unread in (lambda: config.log, lambda: config.scopes, lambda: config.sip):
        with pytest.raises(Unread):
            unread()


def test_syntax_that_leaves_nothing_to_read_is_told_and_ends_the_run() -> None:
    for text in (b"a = \n[log]\nlevel = 5", b'[log]\nlevel = """', b"".join(b"[a%d]\nb = \n" % number for number in range(50))):
        config, found = decode_partly(text)
        assert config is None
        assert 1 <= len(found) <= SYNTAX_ERRORS


def test_a_key_cannot_inject_control_characters() -> None:
    (problem,) = decode(b'"\\u001b[2J\\n" = 1').problems
    assert str(problem).isprintable()


def test_other_octets_are_answered_too() -> None:
    assert "UTF-8" in str(decode(b"\xff").problems[0])
    assert "more than" in str(decode(b" " * (FILE_LIMIT + 1)).problems[0])
    assert decode(b"a = " + b"[" * 5000).config is None


SCALARS = st.one_of(st.integers(), st.floats(), st.text(max_size=8), st.booleans(), st.none())
NAMES = st.sampled_from(
    [field for table in reference.tables() for field in [option.name for option in table.options]]
    + [table.heading.strip("[]").rpartition(".")[2] for table in reference.tables() if table.heading]
)
TREES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4), max_leaves=20)


def as_toml(value: object) -> str:
    if value is None:
        return "1979-05-27"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return '"' + "".join(f"\\U{ord(ch):08x}" for ch in value if not 0xD800 <= ord(ch) <= 0xDFFF) + '"'
    if isinstance(value, list):
        return "[" + ", ".join(map(as_toml, value)) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {as_toml(item)}" for key, item in value.items()) + "}"
    return repr(value)


@given(st.dictionaries(NAMES, TREES, max_size=5))
def test_any_tree_is_decoded_or_explained(tree: dict[str, object]) -> None:
    """Nothing escapes the decoder, and every problem is one printable line."""
    decoded = decode("\n".join(f"{key} = {as_toml(value)}" for key, value in tree.items()).encode())
    assert (decoded.config is None) == bool(decoded.problems)
    assert all(str(problem).isprintable() for problem in decoded.problems)


@given(st.binary(max_size=200))
def test_any_octets_are_decoded_or_explained(octets: bytes) -> None:
    decoded = decode(octets)
    assert (decoded.config is None) == bool(decoded.problems)


@pytest.mark.parametrize(
    "text",
    [
        ".".join(["a"] * 20_000) + " = 1",
        "[" + " . ".join(["a"] * 20_000) + "]",
        'x = { b = 1, "c".' + '"a".' * 20_000 + "d = 1 }",
        "# it's a comment\n'''text''' = \"\"\"\n\\\"\"\"\" \n" + "a." * 20_000 + "b = 1",
    ],
)
def test_a_key_of_many_parts_is_refused_before_it_costs_time(text: str) -> None:
    """The parser's time grows with the square of their number."""
    [problem] = decode(text.encode()).problems
    assert "more than 32 parts" in str(problem)


@pytest.mark.parametrize("quote", ['"', "'", '"""', "'''", "# "])
def test_dots_in_texts_and_comments_are_no_key(quote: str) -> None:
    dots = "a." * 100
    text = f"name = {quote}{dots}{quote}" if quote != "# " else f"name = 'x' {quote}{dots}"
    assert not any("parts" in str(problem) for problem in decode(text.encode()).problems)


def test_ten_thousand_phones_fit_into_the_largest_file() -> None:
    """Each with a reservation and a number."""
    entry = (
        '[[reservation]]\nmac = "02:00:00:00:00:00"\naddress = "10.100.100.100"\nclass = "desk"\n\n'
        '[[number]]\nnumber = "10000"\nphone = "02:00:00:00:00:00"\n\n'
    )
    assert 10_000 * len(entry) < FILE_LIMIT * 0.75


def test_so_many_problems_are_told_and_no_more() -> None:
    """Whoever feeds another kind of file to a command wants no 200 000 lines."""
    problems = decode("".join(f"k{number} = 1\n" for number in range(1000)).encode()).problems
    assert len(problems) == PROBLEMS_LIMIT + 1
    assert "800 more problems" in str(problems[-1])
