"""A SIP binding: which contact an address-of-record has, and where the packet came from that said so (RFC 3261 section 10)."""

from typing import NamedTuple

from voxpath.model.address import Endpoint

FULL_Q = 1000
"""The q value 1.0: contacts carry q in thousandths, so that it is compared exactly."""


class Contact(NamedTuple):
    """One binding of an address-of-record, as it stands in the store before the 200 leaves.

    What the phone wrote is never rewritten: the observed source stands beside it, and whoever sends by this binding chooses.
    The fields are texts and numbers only, so that a row is the value itself.

    :ivar aor: the address-of-record without scheme, ``a1@voip.example``, in lower case.
    :ivar key: what identifies the binding among those of its address-of-record: the ``+sip.instance`` of the phone, else the
        contact URI in its canonical form.
    :ivar uri: the contact URI exactly as it was registered.
    :ivar q: preference in thousandths, 0 to 1000.
    :ivar source_host: where the REGISTER came from.
    :ivar call_id: its Call-ID; with ``cseq`` it orders refreshes of one phone.
    :ivar expires: end of the binding, in seconds of the server's clock.
    :ivar since: when the contact was first bound without interruption.
    :ivar agent: what the phone calls itself, made printable.
    :ivar phone: the identity of the phone in events and commands: the MAC from the ledger or from the configuration, else ``aor``.
    """

    aor: str
    key: str
    uri: str
    q: int
    source_host: str
    source_port: int
    call_id: str
    cseq: int
    expires: float
    since: float
    agent: str
    phone: str

    @property
    def source(self) -> Endpoint:
        """The transport address that it was registered from."""
        return Endpoint(self.source_host, self.source_port)
