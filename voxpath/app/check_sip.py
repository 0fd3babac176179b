"""Checks of the SIP server, its domains and its users."""

from collections.abc import Iterator, Sequence
from ipaddress import AddressValueError, IPv4Address

from voxpath.app.check_addresses import duplicates
from voxpath.app.decode import Problem
from voxpath.app.machine import Machine
from voxpath.app.schema import Config
from voxpath.model.user import Algorithm
from voxpath.provision.record import PLACE_HOLDERS, place_holders

HASHES = {Algorithm.MD5: "md5", Algorithm.SHA_256: "sha256", Algorithm.SHA_512_256: "sha512_256"}
"""What the cryptographic library calls the hash of a digest algorithm."""

SHORT_PASSWORD = 8
"""Characters of a password that is noted as too short: a digest can be tried against all shorter ones in hours."""


def check_sip(config: Config, machine: Machine) -> Iterator[Problem]:
    """The times of registrations are in order."""
    times = {name: getattr(config.sip, name) for name in ("min_expires_s", "default_expires_s", "max_expires_s")}
    for number, (high, longer) in enumerate(times.items()):
        # The largest of those below it: whoever follows the advice is not told of the next one then.
        shorter, low = max(((value, name) for name, value in list(times.items())[:number]), default=(0, ""))
        if shorter > longer:
            yield Problem(f"sip.{high}", f"{longer} is less than {low}, {shorter}", f"write {shorter} or more")


def check_domains(config: Config, machine: Machine) -> Iterator[Problem]:
    """Domains differ in more than letter case, and this machine has the hashes that they want."""
    yield from duplicates("domain", "name", config.domains, lambda entry: entry.name.lower(), "give each domain once")
    for place, entry in enumerate(config.domains):
        path = f"domain[{place}]"
        if entry.name.rpartition(".")[2].isdigit() and not _is_address(entry.name):
            yield Problem(f"{path}.name", f"{entry.name} is no IPv4 address", "write four numbers of 0 to 255, or a name")
        if len(set(entry.algorithms)) < len(entry.algorithms):
            yield Problem(f"{path}.algorithms", "names an algorithm twice", "name each once")
        for number, name in enumerate(entry.algorithms):
            if HASHES[Algorithm(name)] not in machine.hashes:
                what = f"{name} is not available on this machine"
                yield Problem(f"{path}.algorithms[{number}]", what, "leave it out, or install an OpenSSL that has it")


def check_users(config: Config, machine: Machine) -> Iterator[Problem]:
    """Each user is of a known domain, once, and has a password unless the domain is open."""
    known = {entry.name.lower(): entry for entry in config.domains}
    only = next(iter(known)) if len(known) == 1 else ""
    names = ", ".join(sorted(known)) or "none"
    seen: dict[str, int] = {}
    for place, user in enumerate(config.users):
        path = f"user[{place}]"
        host = user.domain.lower() or only
        domain = known.get(host)
        if not host:
            yield Problem(f"{path}.domain", "is missing, and there is not exactly one domain", f"write one of: {names}")
        elif domain is None:
            what = f"there is no domain {user.domain!r}"
            yield Problem(f"{path}.domain", what, f"add a [[domain]] of that name, or use one of: {names}")
        elif not user.password and not domain.open:
            yield Problem(f"{path}.password", "is missing", 'write password = "..." with a secret of its own')
        aor = f"{user.name.lower()}@{host}"
        if aor in seen:
            yield Problem(
                f"{path}.name", f"{aor} stands in user[{seen[aor]}] already", "write a name that differs in more than letter case"
            )
        seen.setdefault(aor, place)


def check_users_phones(config: Config, machine: Machine) -> Iterator[Problem]:
    """All users of a phone show the same address, since the phone has one configuration file."""
    first: dict[bytes, int] = {}
    for place, user in enumerate(config.users):
        if user.phone is None:
            continue
        if user.phone.is_group:
            yield Problem(f"user[{place}].phone", f"{user.phone} is a group address", "write the address of one phone")
        other = first.setdefault(user.phone, place)
        if config.users[other].showing != user.showing:
            what = f"{user.showing!r} differs from user[{other}], which is on the same phone"
            yield Problem(f"user[{place}].showing", what, f"write showing = {config.users[other].showing!r} for both")


def check_settings(config: Config, machine: Machine) -> Iterator[Problem]:
    """Place-holders in lines for phone programs are known."""
    for place, entry in enumerate(config.classes):
        for number, line in enumerate(entry.settings):
            for name in place_holders(line):
                if name not in PLACE_HOLDERS:
                    path = f"class[{place}].settings[{number}]"
                    known = ", ".join(f"{{{one}}}" for one in PLACE_HOLDERS)
                    yield Problem(path, f"{{{name}}} is no place-holder", f"use one of: {known}")


def sip_off(config: Config) -> Iterator[str]:
    """Tell why nobody can use a SIP server that runs."""
    if config.sip.enabled and not config.domains:
        yield "sip: nobody can register, since there is no [[domain]]"
    elif config.sip.enabled and not config.users and not any(domain.open for domain in config.domains):
        yield "sip: nobody can register, since there is no [[user]]"


def sip_notes(config: Config) -> Iterator[str]:
    """Tell what is allowed and yet worth knowing."""
    for place, domain in enumerate(config.domains):
        if len(domain.algorithms) > 1:
            what = f"offers {' and '.join(domain.algorithms)}: some phones never answer a challenge that offers several"
            yield f"domain[{place}].algorithms: {what}; MD5 alone works with all"
        if domain.open:
            yield f"domain[{place}].open: whoever reaches this server can register as any user of {domain.name}, without a password"
    if config.sip.enabled:
        ports = {text.endpoint.port for text in config.sip.listen}
        for place, domain in enumerate(config.domains):
            if domain.port not in ports:
                what = f"phones' files name port {domain.port}, and sip.listen has {', '.join(map(str, sorted(ports)))}"
                yield f"domain[{place}].port: {what}"
    yield from _users_notes(config)
    private = [place for place, user in enumerate(config.users) if user.showing == "not"]
    if private:
        what = 'has showing = "not": calls from beyond its realm need a proxy, unless the phone shows its public address by itself'
        yield f"{_first_of(private)}: {what}"


def _users_notes(config: Config) -> Iterator[str]:
    weak = [place for place, user in enumerate(config.users) if 0 < len(user.password) < SHORT_PASSWORD]
    if weak:
        what = f"has fewer than {SHORT_PASSWORD} characters: whoever sees one registration can find it by trying"
        yield f"{_first_of(weak)}: its password {what}"
    reserved = {entry.mac for entry in config.reservations}
    barred = [
        place
        for place, user in enumerate(config.users)
        if user.phone is not None
        and user.phone not in reserved
        and not any(rule.first <= user.phone <= rule.last for rule in config.dhcp.macs)
    ]
    if barred and config.dhcp.enabled and config.scopes:
        yield f"{_first_of(barred)}: its phone is not among dhcp.macs, and gets no lease and no file here"


def _first_of(places: Sequence[int]) -> str:
    return f"user[{places[0]}]" + (f" and {len(places) - 1} more" if len(places) > 1 else "")


def _is_address(text: str) -> bool:
    try:
        IPv4Address(text)
    except AddressValueError:
        return False
    return True
