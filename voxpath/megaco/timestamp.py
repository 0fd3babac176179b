"""TimeStamps of the text encoding: ``yyyymmddThhmmsscc`` in UTC (RFC 3525 Annex B)."""

from datetime import UTC, datetime


def timestamp(now: float) -> str:
    """Write seconds since the epoch with hundredths."""
    moment = datetime.fromtimestamp(now, UTC)
    return f"{moment:%Y%m%dT%H%M%S}{moment.microsecond // 10_000:02}"
