"""From the configuration's users and domains to the values of the SIP server and of phones' files.

All functions take a configuration that :func:`voxpath.app.check.check` found no error in.
"""

from voxpath.app import values
from voxpath.app.schema import Config
from voxpath.model.user import Algorithm, Callers, Showing, SipAccount, SipDomain, SipUser
from voxpath.sip.settings import SipSettings


def domains(config: Config) -> tuple[SipDomain, ...]:
    """The domains, in the order of the file."""
    return tuple(
        SipDomain(
            name=entry.name.lower(),
            realm=entry.realm or entry.name,
            algorithms=tuple(map(Algorithm, entry.algorithms)),
            callers=Callers(entry.callers),
            open=entry.open,
        )
        for entry in config.domains
    )


def users(config: Config) -> dict[str, SipUser]:
    """The users by address-of-record; a user without a domain is of the only one."""
    only = config.domains[0].name if len(config.domains) == 1 else ""
    made = (
        SipUser(
            name=entry.name,
            domain=(entry.domain or only).lower(),
            password=entry.password,
            phone="" if entry.phone is None else str(entry.phone),
            showing=Showing(entry.showing),
        )
        for entry in config.users
    )
    return {user.aor: user for user in made}


def accounts(config: Config) -> dict[str, tuple[SipAccount, ...]]:
    """The users of each phone, in the order of the file, by the phone's identity."""
    ports = {entry.name.lower(): entry.port for entry in config.domains}
    found: dict[str, list[SipAccount]] = {}
    for user in users(config).values():
        if user.phone:
            found.setdefault(user.phone, []).append(SipAccount(user, ports[user.domain], config.sip.default_expires_s))
    return {phone: tuple(listed) for phone, listed in found.items()}


def sip_settings(config: Config) -> SipSettings:
    """How registrar and redirect server behave."""
    options = config.sip
    return SipSettings(
        domains=domains(config),
        users=users(config),
        realms=values.realms(config),
        min_expires_s=options.min_expires_s,
        default_expires_s=options.default_expires_s,
        max_expires_s=options.max_expires_s,
        max_contacts=options.max_contacts,
    )
