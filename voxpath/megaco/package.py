"""Names of the packages that voxpath speaks (RFC 3525 Annex E), each as it stands in text messages."""

from typing import Final

# E.6 DTMF detection: the end of a digit map with its parameters.
DD_COMPLETION: Final = "dd/ce"
DD_DIGITS: Final = "ds"
DD_METHOD: Final = "Meth"

# E.7 Call progress tones.
CG_DIAL: Final = "cg/dt"
CG_RINGING: Final = "cg/rt"
CG_BUSY: Final = "cg/bt"
CG_CONGESTION: Final = "cg/ct"
CG_SPECIAL_INFORMATION: Final = "cg/sit"

# E.9 Analogue line supervision.
AL_OFF_HOOK: Final = "al/of"
AL_ON_HOOK: Final = "al/on"
AL_RING: Final = "al/ri"
AL_STRICT: Final = "strict"
AL_STATE: Final = "state"

# E.11 Network: octets, and the duration in milliseconds.
NT_DURATION: Final = "nt/dur"
NT_OCTETS_SENT: Final = "nt/os"
NT_OCTETS_RECEIVED: Final = "nt/or"

# E.12 RTP: packets, loss in percent, jitter in milliseconds.
RTP_PACKETS_SENT: Final = "rtp/ps"
RTP_PACKETS_RECEIVED: Final = "rtp/pr"
RTP_PACKET_LOSS: Final = "rtp/pl"
RTP_JITTER: Final = "rtp/jit"

ANALOGUE_LINE: Final = (("al", 1), ("cg", 1), ("dd", 1), ("g", 1))
"""The packages of an analogue line's termination, with their versions."""
EPHEMERAL: Final = (("nt", 1), ("rtp", 1))
"""The packages of an RTP termination, with their versions."""
