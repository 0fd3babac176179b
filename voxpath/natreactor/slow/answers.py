"""What the slow path answers to each request."""

from voxpath.core.errors import LocalError
from voxpath.natreactor.slow.carrier import Carrier
from voxpath.natreactor.slow.frames import (
    VERSION,
    Answer,
    Apply,
    Ask,
    Configure,
    Count,
    Done,
    End,
    Kept,
    Look,
    Refused,
    ReplaceAll,
    Request,
    rows_of,
)


def answer(carrier: Carrier, request: Request, now: float) -> Answer:
    """Carry a request out.

    :param now: the clock of the packets, in seconds.
    """
    match request:
        case Ask():
            return Kept(VERSION, carrier.plan, carrier.table.generation, rows_of(carrier.table))
        case Look(take):
            return carrier.seen(now, take=take)
        case Count(private):
            return carrier.counted(private)
        case End():
            return Done()
    try:
        _change(carrier, request)
    except (LocalError, ValueError) as error:
        return Refused(str(error))
    return Done()


def _change(carrier: Carrier, request: Configure | Apply | ReplaceAll) -> None:
    match request:
        case Configure(plan, generation, rows):
            carrier.configure(plan, generation, rows)
        case Apply(generation, add, remove):
            carrier.apply(generation, add, remove)
        case ReplaceAll(generation, rows):
            carrier.replace_all(generation, rows)
