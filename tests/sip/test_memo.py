"""Values that are remembered by their text: few enough, and each of them small."""

import gc
import pkgutil
from collections.abc import Iterator
from importlib import import_module

import pytest

import voxpath.sip
from tests.sip.exchange import request
from tests.sip.test_redirect import OF_A1, registered
from voxpath.core.errors import RemoteError
from voxpath.ports import place
from voxpath.sip.header import parse_address
from voxpath.sip.memo import LONGEST_KEPT, MOST_KEPT_PARAMETERS, MOST_PARAMETERS, Memo
from voxpath.sip.uri import SipUri

MODULES = [place, *(import_module(f"voxpath.sip.{found.name}") for found in pkgutil.iter_modules(voxpath.sip.__path__))]


def caches() -> dict[str, dict[object, object]]:
    """What every cached function of the SIP server keeps, by the function's name."""
    found = {}
    for module in MODULES:
        for name, value in [*vars(module).items(), ("parse", SipUri.parse)]:
            if isinstance(getattr(value, "__self__", None), Memo):
                found[f"{module.__name__}.{name}"] = value.__self__
            elif hasattr(value, "cache_info"):
                dicts = [each for each in gc.get_referents(value) if isinstance(each, dict) and "__wrapped__" not in each]
                found[f"{module.__name__}.{name}"] = {key: None for each in dicts for key in each}
    return found


def texts(kept: dict[object, object]) -> Iterator[str]:
    for key in kept:
        for part in key if isinstance(key, tuple | list) else (key,):
            if isinstance(part, str):
                yield part


def test_no_cached_function_keeps_long_text() -> None:
    """A flood of 4 kB values with a thousand parameters each would fill the memory."""
    exchange = registered()
    long = "".join(f";p{number}=v" for number in range(MOST_PARAMETERS - 2)) + ";x=" + "y" * 1500
    for method in ("OPTIONS", "INVITE", "REGISTER", "BYE"):
        payload = request(
            method,
            f"sip:a1@voip.example{long}",
            sender=f"sip:{'s' * 1500}@voip.example",
            to=f"<sip:a1@voip.example>{long}",
            via="SIP/2.0/UDP 10.0.0.11" + long,
            headers=[
                f"Contact: <sip:a1@10.0.0.11{long[:480]}>{long}",
                f"User-Agent: {long}",
                f'Authorization: Digest username="a1",realm="voxpath",nonce="n",response="r",uri="sip:voip.example;{"u" * 1500}"',
            ],
        )
        exchange.ask(payload, OF_A1)
    exchange.ask(request("OPTIONS", f"sip:{'h' * 1500}"), OF_A1)
    parse_address("<sip:short@x.example>")
    kept = caches()
    assert "<sip:short@x.example>" in kept["voxpath.sip.header.parse_address"]
    assert len(kept) >= 12
    for name, cache in kept.items():
        assert all(len(text) <= LONGEST_KEPT for text in texts(cache)), name


def test_text_with_many_parameters_is_read_and_not_kept() -> None:
    """Parameters cost twenty times their octets."""
    few, many = ("<sip:a@b>" + "".join(f";{n}" for n in range(count)) for count in (MOST_KEPT_PARAMETERS, MOST_PARAMETERS))
    assert parse_address(few) is parse_address(few)
    assert parse_address(many) is not parse_address(many)


@pytest.mark.parametrize("read", [parse_address, SipUri.parse])
def test_more_parameters_than_anybody_needs_are_refused(read: object) -> None:
    """400 tells the sender."""
    text = "sip:a@b" + "".join(f";p{number}" for number in range(MOST_PARAMETERS))
    assert callable(read)
    assert len(read(text).params) == MOST_PARAMETERS
    with pytest.raises(RemoteError, match="more than 64 parameters") as caught:
        read(text + ";more")
    assert caught.value.code == 400


def test_a_full_memory_is_begun_anew() -> None:
    """And what was read stays right."""
    memo: Memo[int] = Memo(len, 4)
    for number in range(20):
        assert memo["x" * number] == number
        assert len(memo) <= 4
    assert memo["x" * 1000] == 1000
    assert "x" * 1000 not in memo
