"""The fixtures of this suite do fail what they are there to fail."""

from pathlib import Path

import pytest

pytest_plugins = ["pytester"]

CONFTEST = (Path(__file__).parent / "conftest.py").read_text()
CASES = {
    "a logged failure": """
        from twisted.logger import Logger
        def test_it():
            try:
                1 / 0
            except ZeroDivisionError:
                Logger().failure("a bug")
    """,
    "an unhandled Deferred": """
        from twisted.internet.defer import fail
        def test_it():
            fail(ZeroDivisionError("nobody looks"))
    """,
    "a leftover timer": """
        from twisted.internet import reactor
        def test_it():
            reactor.callLater(60, print)
    """,
}


@pytest.mark.parametrize("case", CASES)
def test_it_fails(case: str, pytester: pytest.Pytester) -> None:
    pytester.makeconftest(CONFTEST)
    pytester.makepyfile(CASES[case])
    outcome = pytester.runpytest_subprocess("-p", "no:cacheprovider")
    outcome.assert_outcomes(passed=1, errors=1)


def test_a_clean_test_passes(pytester: pytest.Pytester) -> None:
    pytester.makeconftest(CONFTEST)
    pytester.makepyfile("def test_it():\n    assert True")
    pytester.runpytest_subprocess("-p", "no:cacheprovider").assert_outcomes(passed=1)
