"""Erlang/OTP's example gateway, unmodified, as a phone behind a service gateway."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from tests.live.dhcpclients import Phone, ports_of
from tests.live.sites import Site, Stage

ERLANG_MAC = "02:00:00:00:0a:77"


def example_directory() -> str:
    """Where OTP keeps megaco_simple_mg."""
    found = subprocess.run(
        ["erl", "-noshell", "-eval", 'io:format("~s/examples/simple", [code:lib_dir(megaco)]), halt().'],
        capture_output=True,
        text=True,
        check=True,
    )
    return found.stdout


@contextmanager
def simple_gateway(stage: Stage, site: Site, controller: str) -> Iterator[str]:
    """Run megaco_simple_mg at a site, with a lease of its own; give its public address.

    Its source ports are ephemeral and cannot be set, so the namespace's ephemeral range is narrowed to its block.
    """
    stage.add_host(site, "erlang", ERLANG_MAC)
    told = Phone(stage.net, "erlang", ERLANG_MAC, stage.directory).udhcpc()
    ports = ports_of(bytes.fromhex(told["opt224"]))
    stage.net.sysctl("erlang", "net.ipv4.ip_local_port_range", f"{ports.first} {ports.last}")
    start = ["-s", "megaco", "-s", "megaco_simple_mg", "start_batch", f"{{mgc_host,{controller}}}"]
    argv = ["erl", "-noshell", "-pa", example_directory(), *start]
    with stage.net.running("erlang", argv, stdout=subprocess.DEVNULL):
        yield ports.public
