"""The side that receives a file: a client that reads, and the server when a phone writes (RFC 1350, RFC 7440)."""

from collections.abc import Sequence

from voxpath.core.errors import RemoteError
from voxpath.core.retransmit import Entropy
from voxpath.tftp.machine import BLOCK_MODULUS, DALLY_S, Ending, Transfer
from voxpath.tftp.message import Ack, Data, Error, ErrorCode, Message, OptionAck, ReadRequest
from voxpath.tftp.options import Agreed, accept_options
from voxpath.tftp.question import Admitted


class Receiving(Transfer):
    """Takes DATA in order, and acknowledges each window.

    :param largest: octets that are taken at the most; a larger file is refused with error 3.
    :ivar blocks: blocks that came in order, not reduced.
    """

    def __init__(self, agreed: Agreed, largest: int, entropy: Entropy) -> None:
        super().__init__(entropy)
        self._agreed = agreed
        self._largest = largest
        self._content = bytearray()
        self._unacknowledged = 0
        self._gap_told = False
        self.blocks = 0

    @property
    def content(self) -> bytes:
        """What was received so far."""
        return bytes(self._content)

    def tick(self, now: float) -> Sequence[Message]:
        """Repeat what was said last; or end the dally."""
        if self.ending is None:
            return super().tick(now)
        if self.due is not None and now >= self.due:
            self.due = None
        return ()

    def _complete(self, now: float) -> Sequence[Message]:
        """The last block is here."""
        raise NotImplementedError

    def _data(self, block: int, payload: bytes | memoryview, now: float) -> Sequence[Message]:
        """RFC 1350 section 2, RFC 7440 section 4: the block that is due is kept, and the last one of a window acknowledged."""
        ahead = (block - self.blocks) % BLOCK_MODULUS
        if ahead != 1:
            return self._out_of_order(ahead)
        size = self._agreed.block_size
        if len(payload) > size:
            return self._refuse(ErrorCode.ILLEGAL_OPERATION, f"a block of {len(payload)} octets: {size} was agreed")
        if len(self._content) + len(payload) > self._largest:
            return self._too_large()
        self._content += payload
        self.blocks += 1
        self._unacknowledged += 1
        self._gap_told = False
        if len(payload) < size:
            return self._complete(now)
        if self._unacknowledged == self._agreed.window:
            return self._acknowledge(now)
        self._await(now)
        return ()

    def _too_large(self) -> Sequence[Message]:
        return self._refuse(ErrorCode.DISK_FULL, f"more than {self._largest} octets")

    def _out_of_order(self, ahead: int) -> Sequence[Message]:
        """A block that was acknowledged comes again: its ACK may be lost. One beyond the next comes: a gap, which is told once."""
        again = ahead == 0 and self.blocks > 0 and not self._unacknowledged
        gap = 1 < ahead <= self._agreed.window and not self._gap_told
        if not again and not gap:
            return ()
        self._gap_told = self._gap_told or gap
        self._unacknowledged = 0
        return (self._ack(),)

    def _acknowledge(self, now: float) -> Sequence[Message]:
        self._unacknowledged = 0
        return self._say(self._ack(), now)

    def _again(self, now: float) -> Sequence[Message]:
        """After a timeout what came last in order is acknowledged again."""
        if self.blocks:
            self._unacknowledged = 0
            self._last = (self._ack(),)
        return super()._again(now)

    def _ack(self) -> Ack:
        return Ack(self.blocks % BLOCK_MODULUS)

    def _dally(self, message: Message) -> Sequence[Message]:
        """RFC 1350 section 6: the last ACK may be lost, too."""
        if self.due is not None and isinstance(message, Data) and message.block == self.blocks % BLOCK_MODULUS:
            return (self._ack(),)
        return ()


class Reading(Receiving):
    """The client's side of a read."""

    def __init__(self, request: ReadRequest, largest: int, entropy: Entropy) -> None:
        super().__init__(Agreed(), largest, entropy)
        self._request = request
        self.begun = False

    def start(self, now: float) -> Sequence[Message]:
        """Send the request."""
        return self._say(self._request, now)

    def take(self, message: Message, now: float) -> Sequence[Message]:
        """Take a message of the server."""
        if self.ending is not None:
            return self._dally(message)
        match message:
            case Data(block, payload):
                self.begun = True
                return self._data(block, payload, now)
            case OptionAck():
                return self._options(message, now)
            case Error(code, text):
                return self._fail(f"the server says: {text}", code)
        return self._refuse(ErrorCode.ILLEGAL_OPERATION, "only DATA, OACK and ERROR belong here")

    def _options(self, message: OptionAck, now: float) -> Sequence[Message]:
        """RFC 2347: the OACK is acknowledged with block 0."""
        if self.begun:
            return (Ack(0),) if self.blocks == 0 and self._agreed.answer else ()
        try:
            agreed = accept_options(self._request, message.options)
        except RemoteError as error:
            return self._refuse(ErrorCode.OPTION_NEGOTIATION, error.reason)
        if agreed.size is not None and agreed.size > self._largest:
            return self._refuse(ErrorCode.DISK_FULL, f"{agreed.size} octets do not fit into {self._largest}")
        self.begun = True
        self._agreed = agreed
        self._keep_to(agreed)
        return self._say(Ack(0), now)

    def _complete(self, now: float) -> Sequence[Message]:
        """A file that is not of the announced size is incomplete (PHN-14)."""
        answer = self._acknowledge(now)
        self.due = now + DALLY_S
        size, announced = len(self._content), self._agreed.size
        complete = announced is None or announced == size
        self.ending = Ending() if complete else Ending(f"{size} octets came where {announced} were announced")
        return answer


class Writing(Receiving):
    """The server's side of a write: the last ACK waits until the file is kept.

    :ivar complete: whether the last block is here.
    :ivar too_large: whether more came than was admitted.
    """

    def __init__(self, agreed: Agreed, admitted: Admitted, entropy: Entropy) -> None:
        super().__init__(agreed, admitted.most, entropy)
        self._keep_to(agreed)
        self._beyond = admitted.beyond
        self.complete = self.too_large = False

    def start(self, now: float) -> Sequence[Message]:
        """Send the OACK, or ACK 0 if no option was accepted."""
        return self._say(OptionAck(self._agreed.answer) if self._agreed.answer else Ack(0), now)

    def take(self, message: Message, now: float) -> Sequence[Message]:
        """Take a message of the client."""
        if self.ending is not None:
            return self._dally(message)
        if self.complete:
            # It is being kept, whatever the client says now.
            return ()
        match message:
            case Data(block, payload):
                return self._data(block, payload, now)
            case Error(code, text):
                return self._fail(f"the client says: {text}", code)
        return self._refuse(ErrorCode.ILLEGAL_OPERATION, "only DATA and ERROR belong here")

    def kept(self, now: float) -> Sequence[Message]:
        """The file is on the disk: acknowledge its last block."""
        answer = self._acknowledge(now)
        self._content.clear()
        self.due = now + DALLY_S
        self.ending = Ending()
        return answer

    def _too_large(self) -> Sequence[Message]:
        self.too_large = True
        return self._refuse(self._beyond.code, self._beyond.reason, self._beyond.detail)

    def _complete(self, now: float) -> Sequence[Message]:
        self.complete = True
        self.due = None
        return ()

    @property
    def proven(self) -> bool:
        """Whether the client has sent anything but its request."""
        return self.blocks > 0
