"""``python -m voxpath.natreactor.withdraw TABLE INSIDE...``: take away all that a NAT back end has set up in the kernel.

A back end leaves it in place when it ends, so that calls go on; this is for a host that is a gateway no longer.
"""

import argparse
import sys
from collections.abc import Sequence
from contextlib import suppress

from voxpath.core.errors import LocalError
from voxpath.natreactor import fastform, ruleset
from voxpath.natreactor.claim import claim
from voxpath.natreactor.devices import links_of
from voxpath.natreactor.ebpf import program
from voxpath.natreactor.firewall import open_host
from voxpath.natreactor.host import forwards
from voxpath.natreactor.libnftables import Nftables
from voxpath.natreactor.rtnetlink import Rtnetlink
from voxpath.natreactor.slow.device import device_names
from voxpath.natreactor.slowpath import end_process
from voxpath.natreactor.steering import remove_steering


def command(table: str, inside: tuple[str, ...]) -> str:
    """What an operator types to withdraw."""
    return " ".join(("python -m voxpath.natreactor.withdraw", table, *inside))


def withdraw(table: str, inside: tuple[str, ...]) -> None:
    """End the slow path, and remove rules, routes, devices, programs and the table of nftables; what is not there is no error.

    :param table: the name that the back end had; ``inside``: its inside interfaces.
    :raises LocalError: a back end is running with this name, or the kernel refuses.
    """
    with claim(table):
        remove_steering(table, inside)
        end_process(table)
        remove_devices(table)
        remove_tables(table)
        remove_programs(table)
        open_host(table)


def remove_devices(table: str) -> None:
    """Remove the devices that a process left which did not end by itself.

    :raises LocalError: the kernel refuses.
    """
    kernel = Rtnetlink()
    try:
        for link in links_of(kernel, device_names(table)):
            kernel.remove_link(link.index)
    finally:
        kernel.close()


def remove_tables(table: str) -> None:
    """Remove what the nftables back end may have left."""
    with suppress(LocalError):  # without nftables there is nothing of it
        nft = Nftables()
        try:
            # Another kernel may lack this family.
            with suppress(LocalError):
                nft.run(fastform.remove(table))
            nft.run(ruleset.remove(table))
        finally:
            nft.close()


def remove_programs(table: str) -> None:
    """Remove what the eBPF back end may have left.

    :raises LocalError: the kernel refuses.
    """
    program.withdraw(table)


def main(arguments: Sequence[str] | None = None) -> int:
    """Withdraw; give the exit status: 0 done, 1 refused, 2 written wrongly."""
    about = "Take away all that a NAT back end has set up in the kernel, and end its slow path; voxpath has to be stopped."
    parser = argparse.ArgumentParser(prog="python -m voxpath.natreactor.withdraw", description=about)
    parser.add_argument("table", metavar="TABLE", help="what nat.table names, usually voxpath")
    parser.add_argument("inside", metavar="INSIDE", nargs="*", help="the interfaces of nat.inside")
    options = parser.parse_args(arguments)
    try:
        withdraw(options.table, tuple(options.inside))
    except LocalError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"nothing of {options.table} is left here")
    if forwards():
        print("this machine goes on forwarding, now without translation: sysctl -w net.ipv4.ip_forward=0 ends that")
    return 0


if __name__ == "__main__":
    sys.exit(main())
