"""The section of the file server; :mod:`voxpath.app.schema` has the whole file."""

from typing import Annotated, Literal

from msgspec import field

from voxpath.app.kinds import EndpointText, PatternText
from voxpath.app.section import Port, Section, doc

ALIASES_LIMIT = 256
"""Entries of `tftp.alias`."""

FilesName = Literal["", "none", "programs", "yealink", "grandstream", "cisco", "snom", "poly"]
"""The sets of :func:`voxpath.provision.table.shipped_sets`, and two that are none."""


class Alias(Section, frozen=True):
    """Another name for a file that phones ask for, or the name of one that a template of `tftp.templates` makes.

    The first alias that fits counts, before all names that are shipped; letter case does not count.
    """

    pattern: Annotated[
        PatternText,
        doc(
            "The name: `{mac}` stands for the phone's Ethernet address in any spelling, `{NAME}` for letters, digits and `.`, `_`, "
            "`-`, and `*` for anything but `/`.",
            "spa{model}-{mac}.cfg",
        ),
    ]
    file: Annotated[
        str, doc("The name that is meant, with parts of `pattern` and `{mac}`; empty: `template` says it.", "{mac}.cfg")
    ] = ""
    template: Annotated[
        str, doc("The template that makes the file, such as `spa/phone.xml`; it knows the parts as `parts.NAME`.", "")
    ] = ""
    classes: Annotated[tuple[str, ...], doc("Classes whose phones it is for; empty: all.", ["desk"], max_length=64)] = ()


class Tftp(Section, frozen=True):
    """The TFTP server: boot images, a configuration file per phone, made from its lease, and a drop box per phone."""

    enabled: Annotated[bool, doc("Whether the role starts.", False)] = True
    listen: Annotated[
        tuple[EndpointText, ...], doc("Where it listens; the well-known port 69 needs root.", ["10.0.0.1:69"], min_length=1)
    ] = (EndpointText("127.0.0.1:6969"),)
    root: Annotated[str, doc("Directory of the boot images; a relative path lies in `state`.", "/srv/images")] = "images"
    blksize_max: Annotated[int, doc("Largest block size that is agreed to, in octets (RFC 2348).", 512, ge=8, le=65464)] = 1468
    windowsize_max: Annotated[
        int, doc("Largest window that is agreed to, in blocks (RFC 7440); 1: each block is waited for.", 64, ge=1, le=64)
    ] = 16
    data_ports: Annotated[
        tuple[Port, ...],
        doc(
            "First and last local port of transfers, for firewalls: each transfer takes one, and while all are taken the port "
            "that takes requests serves; empty: any port.",
            [40000, 40999],
            max_length=2,
        ),
    ] = ()
    single_port: Annotated[
        bool, doc("Whether all transfers run from the port that takes requests, for firewalls and containers.", True)
    ] = False
    uploads: Annotated[
        str,
        doc(
            "Directory of the phones' drop boxes; a relative path lies in `state`; empty: nobody may write.",
            "uploads",
        ),
    ] = ""
    upload_octets: Annotated[
        int, doc("Octets of a file that a phone may write; it is in memory until it is kept.", 262144, ge=1, le=1 << 26)
    ] = 1 << 20
    upload_quota: Annotated[int, doc("Octets of all files in one phone's box.", 4194304, ge=1)] = 1 << 24
    upload_total: Annotated[
        int,
        doc("Octets of all files in all boxes; then whoever writes gets error 3, until somebody removes some.", 268435456, ge=1),
    ] = 1 << 30
    upload_floor: Annotated[
        int,
        doc(
            "Octets that stay free on the disk of `uploads`, where the database may lie, too: else nobody writes.",
            67108864,
            ge=0,
        ),
    ] = 1 << 28
    templates: Annotated[
        str,
        doc(
            "Directory of templates for phones' files, which add to the shipped ones or replace them by their names; "
            "a relative path lies in `state`; empty: the shipped ones alone.",
            "templates",
        ),
    ] = ""
    aliases: Annotated[tuple[Alias, ...], doc("Other names of files.", [], max_length=ALIASES_LIMIT)] = field(
        name="alias", default=()
    )
