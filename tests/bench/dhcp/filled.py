"""What an exchange costs beside leases that are there already: the same server with 1 k, 10 k and 100 k of them in its store."""

import time
from collections.abc import Iterator
from functools import partial
from ipaddress import IPv4Address
from pathlib import Path

from tests.bench.dhcp.goals import flat_goals
from tests.bench.dhcp.part import COLUMNS, ready
from tests.bench.dhcp.servers import FIRST_PUBLIC, voxpath
from tests.bench.part import Part, Server
from voxpath.model.address import Mac
from voxpath.model.phone import Lease
from voxpath.model.ports import PortBinding
from voxpath.ports.ledger import Ledger
from voxpath.ports.pools import Pool
from voxpath.store.file import open_file
from voxpath.store.tables import TABLES

SIZES = (1_000, 10_000, 100_000)
PUBLICS = 120
"""Public addresses: enough for all leases and for the new phones of a measurement."""
PORTS = 64
FIRST_ADDRESS = IPv4Address("10.65.0.0")
LEASE_S = 86_400.0
WORK = "new phones, four messages each, beside leases that are there"

METHOD = """\
### Method

- The same site, load and measure as for DHCP above.
- So many leases and port blocks are in the store before the server starts.
  It has loaded them, and filled the kernel's NAT with them, before the first request comes.
- CPU per ACK should not depend on how many there are; it must not grow by more than a fifth.
"""


def rows(size: int, now: float) -> Iterator[Lease | PortBinding]:
    """So many leases with their blocks, none of which ends soon."""
    ledger = Ledger([Pool(FIRST_PUBLIC + number, 1024, 65535, "bench") for number in range(PUBLICS)])
    for number in range(size):
        mac, address = Mac(b"\0\x0c\xf0" + number.to_bytes(3, "big")), FIRST_ADDRESS + number
        ledger.settle(ledger.grant(str(mac), PORTS, address, "bench", now))
        yield Lease(mac, b"", "lan", address, "bench", f"phone-{number}", now + LEASE_S)
    yield from ledger.bindings()


def filled(size: int, directory: Path) -> list[str]:
    """voxpath with so many leases in its store."""
    argv = voxpath(directory, addresses=PUBLICS)
    connection = open_file(directory / "voxpath.db")
    connection.execute("BEGIN")
    for row in rows(size, time.time()):
        table = TABLES[type(row)]
        connection.execute(table.put_sql, table.to_row(row))
    connection.execute("COMMIT")
    connection.close()
    return argv


SERVERS = tuple(Server(f"voxpath, {size} leases", partial(filled, size)) for size in SIZES)

FILLED = Part(
    name="leases",
    title="DHCP beside many leases",
    works=(WORK,),
    servers=SERVERS,
    base=SERVERS[0].name,
    rates=(1000,),
    kept_up="sustained",
    columns=COLUMNS,
    versions={},
    method=METHOD,
    ready=ready,
    goals=flat_goals,
)
