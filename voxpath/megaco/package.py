"""Names of the packages that voxpath speaks (RFC 3525 Annex E, H.248.14), each as it stands in text messages."""

from typing import Final

# E.1 Generic: what happened to a signal or a command.
G_CAUSE: Final = "g/cause"
G_SIGNAL_COMPLETION: Final = "g/sc"

# E.2 Base Root: properties of ROOT, times in milliseconds.
ROOT_MAX_CONTEXTS: Final = "root/maxNumberOfContexts"
ROOT_MAX_TERMINATIONS: Final = "root/maxTerminationsPerContext"
ROOT_MG_EXECUTION_TIME: Final = "root/normalMGExecutionTime"
ROOT_MGC_EXECUTION_TIME: Final = "root/normalMGCExecutionTime"
ROOT_MG_PROVISIONAL_TIME: Final = "root/MGProvisionalResponseTimerValue"
ROOT_MGC_PROVISIONAL_TIME: Final = "root/MGCProvisionalResponseTimerValue"

# E.3 Tone generator, E.4 tone detection.
TONEGEN_PLAY: Final = "tonegen/pt"
TONEDET_START: Final = "tonedet/std"
TONEDET_END: Final = "tonedet/etd"
TONEDET_LONG: Final = "tonedet/ltd"

# E.6 DTMF detection: digits, and the end of a digit map with its parameters.
DD_COMPLETION: Final = "dd/ce"
DD_DIGITS: Final = "ds"
DD_METHOD: Final = "Meth"
DTMF_DIGITS: Final[dict[str, str]] = {
    **{digit: f"d{digit}" for digit in "0123456789"},
    **{letter: f"d{letter.lower()}" for letter in "ABCD"},
    "*": "ds",
    "#": "do",
}
"""The event of ``dd`` and the signal of ``dg`` (E.5) for each key."""

# E.7 Call progress tones.
CG_DIAL: Final = "cg/dt"
CG_RINGING: Final = "cg/rt"
CG_BUSY: Final = "cg/bt"
CG_CONGESTION: Final = "cg/ct"
CG_SPECIAL_INFORMATION: Final = "cg/sit"
CG_WARNING: Final = "cg/wt"
CG_PAYPHONE: Final = "cg/prt"
CG_CALL_WAITING: Final = "cg/cw"
CG_CALLER_WAITING: Final = "cg/cr"

# E.9 Analogue line supervision.
AL_OFF_HOOK: Final = "al/of"
AL_ON_HOOK: Final = "al/on"
AL_FLASH: Final = "al/fl"
AL_RING: Final = "al/ri"
AL_STRICT: Final = "strict"
AL_EXACT: Final = "exact"
AL_STATE: Final = "state"
AL_FAIL_WRONG: Final = "failWrong"
AL_INITIAL: Final = "init"

# E.11 Network: octets, and the duration in milliseconds.
NT_JITTER_BUFFER: Final = "nt/jit"
NT_FAILURE: Final = "nt/netfail"
NT_QUALITY: Final = "nt/qualert"
NT_DURATION: Final = "nt/dur"
NT_OCTETS_SENT: Final = "nt/os"
NT_OCTETS_RECEIVED: Final = "nt/or"

# E.12 RTP: packets, loss in percent, jitter and delay in milliseconds.
RTP_PAYLOAD_TRANSITION: Final = "rtp/pltrans"
RTP_PACKETS_SENT: Final = "rtp/ps"
RTP_PACKETS_RECEIVED: Final = "rtp/pr"
RTP_PACKET_LOSS: Final = "rtp/pl"
RTP_JITTER: Final = "rtp/jit"
RTP_DELAY: Final = "rtp/delay"

# E.13 TDM circuit.
TDMC_ECHO_CANCELLATION: Final = "tdmc/ec"
TDMC_GAIN: Final = "tdmc/gain"

# H.248.14 Inactivity timer: a gateway that hears nothing notifies this on ROOT.
IT_EVENT: Final = "it/ito"
IT_MAXIMUM: Final = "mit"
"""In units of 10 ms."""

ANALOGUE_LINE: Final = (("al", 1), ("cg", 1), ("dd", 1), ("g", 1))
"""The packages of an analogue line's termination, with their versions."""
EPHEMERAL: Final = (("nt", 1), ("rtp", 1))
"""The packages of an RTP termination, with their versions."""
