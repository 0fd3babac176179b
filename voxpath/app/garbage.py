"""The garbage collector of a server that keeps much and leaves little garbage.

Nearly all that a packet makes is gone when it is answered, without the collector; what is left are the entries of tables.
With Python's own threshold the collector walks over the young objects after some twenty packets, and over all of them whenever they
have grown by a quarter: a stop of tenths of a second with 20 000 entries.
"""

import gc

YOUNG_OBJECTS = 20_000
"""Objects more than were freed after which the young ones are looked at: about a millisecond's work each time."""


def spare() -> None:
    """Leave out what is there now, which stays, and look at the rest more rarely; call it when a store has been loaded."""
    # What an earlier start of a role left is let go first.
    gc.unfreeze()
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS, *gc.get_threshold()[1:])
