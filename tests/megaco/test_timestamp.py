"""TimeStamps."""

from voxpath.megaco.timestamp import timestamp


def test_hundredths_are_cut_and_the_time_is_utc() -> None:
    assert timestamp(1_700_000_000.129) == "20231114T22132012"
    assert timestamp(0.0) == "19700101T00000000"
