"""The tokens of the text encoding in their long and short forms (RFC 3525 Annex B.2, end)."""

from collections.abc import Mapping
from typing import TypeVar

SHORT: Mapping[str, str] = {
    "Add": "A",
    "Audit": "AT",
    "AuditCapability": "AC",
    "AuditValue": "AV",
    "Authentication": "AU",
    "Brief": "BR",
    "Buffer": "BF",
    "Context": "C",
    "Delay": "DL",
    "DigitMap": "DM",
    "Disconnected": "DC",
    "Duration": "DR",
    "Embed": "EM",
    "Emergency": "EG",
    "Error": "ER",
    "EventBuffer": "EB",
    "Events": "E",
    "Failover": "FL",
    "Forced": "FO",
    "Graceful": "GR",
    "HandOff": "HO",
    "ImmAckRequired": "IA",
    "InService": "IV",
    "Inactive": "IN",
    "IntByEvent": "IBE",
    "IntBySigDescr": "IBS",
    "KeepActive": "KA",
    "Local": "L",
    "LocalControl": "O",
    "LockStep": "SP",
    "Loopback": "LB",
    "MEGACO": "!",
    "Media": "M",
    "Method": "MT",
    "MgcIdToTry": "MG",
    "Mode": "MO",
    "Modem": "MD",
    "Modify": "MF",
    "Move": "MV",
    "Mux": "MX",
    "Notify": "N",
    "NotifyCompletion": "NC",
    "OFF": "OFF",
    "ObservedEvents": "OE",
    "OnOff": "OO",
    "OtherReason": "OR",
    "OutOfService": "OS",
    "Packages": "PG",
    "Pending": "PN",
    "Priority": "PR",
    "Profile": "PF",
    "Reason": "RE",
    "ReceiveOnly": "RC",
    "Remote": "R",
    "Reply": "P",
    "ReservedGroup": "RG",
    "ReservedValue": "RV",
    "Restart": "RS",
    "SendOnly": "SO",
    "SendReceive": "SR",
    "ServiceChange": "SC",
    "ServiceChangeAddress": "AD",
    "ServiceStates": "SI",
    "Services": "SV",
    "SignalList": "SL",
    "SignalType": "SY",
    "Signals": "SG",
    "Statistics": "SA",
    "Stream": "ST",
    "Subtract": "S",
    "TerminationState": "TS",
    "Test": "TE",
    "TimeOut": "TO",
    "Topology": "TP",
    "Transaction": "T",
    "TransactionResponseAck": "K",
    "Version": "V",
}
LONG: Mapping[str, str] = {name: name for name in SHORT}

V = TypeVar("V")


def keyed(meanings: Mapping[str, V]) -> dict[str, V]:
    """Turn meanings by long token into a look-up by both forms in lower case.

    What a token means depends on its position, so each position has a table of its own.
    """
    table = {name.lower(): meaning for name, meaning in meanings.items()}
    table |= {SHORT[name].lower(): meaning for name, meaning in meanings.items() if name in SHORT}
    return table
