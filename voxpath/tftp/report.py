"""What the server tells of its sessions: arrows of ladders, and how each ended."""

from voxpath.core.effects import Emit
from voxpath.model.event import Event, MessageEvent, printable
from voxpath.tftp.event import TftpAborted, TftpDropped, TftpRefused, TftpServed, TftpStored, TftpWriteAborted
from voxpath.tftp.message import Ack, Data, Message, summary
from voxpath.tftp.receiving import Writing
from voxpath.tftp.sending import Sending
from voxpath.tftp.session import PORT, Session


def arrow(phone: str, message: Message, received: bool) -> Emit:
    """A message as an arrow of the phone's ladder."""
    sender, receiver = (phone, PORT) if received else (PORT, phone)
    return Emit(MessageEvent(phone=phone, protocol="TFTP", sender=sender, receiver=receiver, summary=summary(message)))


def is_shown(message: Message, transfer: Sending | Writing) -> bool:
    """Whether a message that is sent stands in a ladder: of blocks the first one, of the ACKs of a write the first and the last."""
    if isinstance(message, Data):
        return message.block == 1 and isinstance(transfer, Sending) and transfer.acked == 0
    if isinstance(message, Ack):
        return transfer.ending is not None or (isinstance(transfer, Writing) and transfer.blocks == 0)
    return True


def refused(session: Session, code: int, reason: str) -> Event:
    """A request that got an error; it is about the phone whose file it was as well as about the one that asked."""
    asking, owner, name = session.phone, session.owner, printable(session.request.name)
    phone, peer = (asking, owner) if asking else (owner, "")
    return TftpRefused(phone=phone, peer=peer, client=str(session.client), name=name, code=code, reason=printable(reason))


def dropped(session: Session, reason: str) -> Event:
    """A request that got no answer."""
    name = printable(session.request.name)
    return TftpDropped(phone=session.phone, client=str(session.client), name=name, reason=printable(reason))


def complete(session: Session, now: float) -> Event:
    """A file that was read or written to its end."""
    transfer = session.transfer
    phone, client, name = session.phone, str(session.client), printable(session.request.name)
    lasted = now - session.began
    if isinstance(transfer, Writing):
        return TftpStored(phone=phone, client=client, name=printable(session.kept_as), octets=session.octets, duration_s=lasted)
    assert isinstance(transfer, Sending)
    blocks, repeated = transfer.blocks, transfer.repeated
    return TftpServed(
        phone=phone, client=client, name=name, octets=session.octets, blocks=blocks, repeated=repeated, duration_s=lasted
    )


def aborted(session: Session, reason: str) -> Event:
    """A transfer that did not come to its end."""
    transfer = session.transfer
    phone, client, name, why = session.phone, str(session.client), printable(session.request.name), printable(reason)
    if session.request.writes:
        block = transfer.blocks if transfer is not None else 0
        return TftpWriteAborted(phone=phone, client=client, name=name, block=block, reason=why)
    block, blocks = (transfer.acked + 1, transfer.blocks) if isinstance(transfer, Sending) else (0, 0)
    return TftpAborted(phone=phone, client=client, name=name, block=block, blocks=blocks, reason=why)
