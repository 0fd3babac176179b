"""The phone's voice: a tone out, level and frequency in, 20 ms of G.711 mu-law a packet.

Symmetric RTP (RFC 4961): one local port sends and receives.
Only the signalled remote side is listened to; everything else is counted and dropped.
"""

from dataclasses import dataclass

from voxpath.core.effects import Close, Datagram, Effect, Effects, Emit, Open, Send
from voxpath.core.errors import RemoteError
from voxpath.core.retransmit import Entropy
from voxpath.core.timers import TimerHeap
from voxpath.model.address import Endpoint
from voxpath.phone.event import MediaHeard, MediaRefused, MediaSent
from voxpath.rtp import packet as rtp
from voxpath.rtp.g711 import PCMU, SAMPLE_RATE_HZ
from voxpath.rtp.statistics import Reception
from voxpath.rtp.tone import FLOOR_DBM0, PACKET_S, PACKET_SAMPLES, ToneMeter, tone_packets

MEASURE_S = 0.5
"""Length of a measurement window: the frequency is exact to 2 Hz."""
SAME_TONE_HZ = 5
"""A frequency that moved by no more than this is still the same tone."""
CATCH_UP_PACKETS = 5
"""Packets that are sent at once after a late tick; what is older is skipped, as a phone without sound would."""
AT_ONCE = 0.0
"""A due time that has passed at any time."""

SEND = "send"
MEASURE = "measure"


@dataclass(frozen=True, slots=True)
class MediaStatistics:
    """What a stream did so far.

    :ivar octets_sent: octets of payload, as in an RTCP sender report; ``octets_received`` likewise.
    :ivar jitter: interarrival jitter in units of 1/8000 s (RFC 3550 A.8).
    :ivar level_dbm0: level of what was heard in the last window.
    :ivar tone_hz: its frequency; 0 when silent.
    :ivar foreign: packets from elsewhere than the signalled remote side, dropped.
    :ivar malformed: packets that were no RTP, dropped.
    :ivar unwanted: packets that came while receiving was off or of another payload type, dropped.
    """

    packets_sent: int
    octets_sent: int
    packets_received: int
    octets_received: int
    lost: int
    jitter: float
    level_dbm0: float
    tone_hz: float
    foreign: int
    malformed: int
    unwanted: int


class Media:
    """One RTP stream in both directions.

    :param tone_hz: the tone to send, rounded to a whole number of hertz; 0: silence.
        Each phone has its own, so that a test hears who speaks.
    :param phone: the phone's identity, for events.
    """

    def __init__(self, tone_hz: float, entropy: Entropy, phone: str = "") -> None:
        self._phone = phone
        self._sent_hz = round(tone_hz)
        self._payloads = tone_packets(self._sent_hz)
        self._entropy = entropy
        self._timers: TimerHeap[str] = TimerHeap()
        self._port = ""
        self._local = Endpoint("", 0)
        self._remote: Endpoint | None = None
        self._reset()

    def start(self, port: str, local: Endpoint, now: float) -> Effects:
        """Open the local port under this name; sequence, timestamp and SSRC begin at random (RFC 3550 5.1)."""
        self._port, self._local = port, local
        self._reset()
        self._timers.arm(MEASURE, now + MEASURE_S)
        return [Open(port, local)]

    def direct(self, remote: Endpoint | None, sending: bool, receiving: bool) -> None:
        """Set the remote side and the direction, as the signalling says; the first packet leaves at the next tick."""
        if remote != self._remote:
            self._remote = remote
            self._refusal_told = False
            self._reception = Reception(SAMPLE_RATE_HZ)
            self._announce = True
        self._receiving = receiving
        if not sending or remote is None:
            self._timers.disarm(SEND)
        elif SEND not in self._timers and self._port:
            self._marker = True
            self._timers.arm(SEND, AT_ONCE)

    def stop(self) -> Effects:
        """Close the port; the statistics stay until the next start."""
        port, self._port = self._port, ""
        self._remote = None
        self._timers.disarm(SEND)
        self._timers.disarm(MEASURE)
        return [Close(port)] if port else []

    def next_due(self) -> float | None:
        """When :meth:`tick` is due."""
        return self._timers.next_due()

    def tick(self, now: float) -> Effects:
        """Send what is due, and close a measurement window."""
        effects: list[Effect] = []
        for timer in self._timers.due(now):
            effects += self._measure(now) if timer == MEASURE else self._send(now)
        return effects

    def receive(self, datagram: Datagram, now: float) -> Effects:
        """Listen to a packet; a malformed one is counted, at media rates an event for each would be a flood."""
        if datagram.source != self._remote:
            return self._refuse(datagram)
        try:
            packet = rtp.parse(datagram.payload)
        except RemoteError:
            self._malformed += 1
            return []
        if not self._receiving or packet.payload_type != PCMU:
            self._unwanted += 1
            return []
        self._packets_received += 1
        self._octets_received += len(packet.payload)
        self._reception.take(packet.sequence, packet.timestamp, now)
        self._meter.take(packet.payload)
        return []

    def statistics(self) -> MediaStatistics:
        """The counters, and what was heard in the last window."""
        return MediaStatistics(
            packets_sent=self._packets_sent,
            octets_sent=self._packets_sent * PACKET_SAMPLES,
            packets_received=self._packets_received,
            octets_received=self._octets_received,
            lost=self._reception.lost,
            jitter=self._reception.jitter,
            level_dbm0=self._level_dbm0,
            tone_hz=self._heard_hz,
            foreign=self._foreign,
            malformed=self._malformed,
            unwanted=self._unwanted,
        )

    def _reset(self) -> None:
        bits = self._entropy.getrandbits
        self._sequence, self._timestamp, self._ssrc = bits(16), bits(32), bits(32)
        self._remote = None
        self._receiving = self._refusal_told = False
        self._marker = self._announce = True
        self._started, self._beat = 0.0, 0
        self._packets_sent = self._packets_received = self._octets_received = 0
        self._foreign = self._malformed = self._unwanted = 0
        self._level_dbm0, self._heard_hz, self._told_hz = FLOOR_DBM0, 0.0, 0
        self._meter = ToneMeter()
        self._reception = Reception(SAMPLE_RATE_HZ)

    def _send(self, now: float) -> Effects:
        """Send each packet that is due; packet *n* of a spurt is due *n* times 20 ms after its start, so nothing drifts."""
        remote = self._remote
        if remote is None:
            return []
        effects: list[Effect] = []
        self._keep_time(now)
        while (due := self._started + self._beat * PACKET_S) <= now:
            effects.append(Send(self._next_packet(), remote, self._port))
            self._beat += 1
        self._timers.arm(SEND, due)
        if self._announce:
            self._announce = False
            effects.append(
                Emit(MediaSent(phone=self._phone, local=str(self._local), remote=str(remote), tone_hz=self._sent_hz)),
            )
        return effects

    def _keep_time(self, now: float) -> None:
        """Pass over a pause and over what is too late to send; the timestamp goes on meanwhile (RFC 3550 5.1)."""
        late = (now - self._started) / PACKET_S - self._beat
        if self._marker:
            skipped = max(0, round(late)) if self._packets_sent else 0
            self._started, self._beat = now, 0
        else:
            skipped = max(0, int(late) - CATCH_UP_PACKETS)
            self._beat += skipped
        self._timestamp += skipped * PACKET_SAMPLES

    def _next_packet(self) -> bytes:
        payload = self._payloads[self._packets_sent % len(self._payloads)]
        head = rtp.header(PCMU, self._sequence & 0xFFFF, self._timestamp & 0xFFFFFFFF, self._ssrc, self._marker)
        self._marker = False
        self._sequence += 1
        self._timestamp += PACKET_SAMPLES
        self._packets_sent += 1
        return head + payload

    def _measure(self, now: float) -> Effects:
        self._timers.arm(MEASURE, now + MEASURE_S)
        self._level_dbm0, self._heard_hz = self._meter.close()
        heard = round(self._heard_hz)
        if abs(heard - self._told_hz) <= SAME_TONE_HZ:
            return []
        self._told_hz = heard
        level = round(self._level_dbm0)
        return [Emit(MediaHeard(phone=self._phone, remote=str(self._remote or ""), tone_hz=heard, level_dbm0=level))]

    def _refuse(self, datagram: Datagram) -> Effects:
        self._foreign += 1
        if self._refusal_told or self._remote is None:
            return []
        self._refusal_told = True
        return [Emit(MediaRefused(phone=self._phone, source=str(datagram.source), remote=str(self._remote)))]
