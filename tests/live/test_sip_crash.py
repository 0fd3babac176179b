"""The real SIP server is killed during registrations, with its state on a real disk."""

from tests.soak import sip


def test_after_kill_9_every_acknowledged_binding_is_there_and_no_removed_one() -> None:
    assert sip.crash_sweep(seed=20261121, crashes=3)


def test_after_kill_9_a_thousand_bindings_are_there_again() -> None:
    assert "all there" in sip.restart(seed=1, bindings=1000)
