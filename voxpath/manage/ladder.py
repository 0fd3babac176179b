"""The ladder: every message and decision of one phone, all protocols together, as a text diagram.

One line is one step, so that ``grep`` works on it: the time since the first step, the participants' lifelines with an arrow
for a message or a star for a decision, and the step in words.
It is a pure function of entries; those of several processes are merged first (:func:`voxpath.manage.entry.merged`).
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple, TypeAlias

from voxpath.manage.entry import Entry
from voxpath.model.event import printable

FIRST_COLUMNS = ("phone", "dhcp", "tftp", "nat", "mgc", "sip")
"""Participants that come first, in this order, if they take part."""

COLUMN_WIDTH = 10
COLUMNS_LIMIT = 8
"""Columns of one ladder; participants beyond it share the last one."""
OTHERS = "others"

LINE_WIDTH = 200
"""Characters of a line when nothing else is asked for."""
SMALLEST_LINE = 100
"""Narrower than this, no room is left for words beside eight columns."""

STEPS_LIMIT = 4096
"""Steps of one ladder; earlier ones are left out, and it says so."""

TIME_WIDTH = 10
PAIR_S = 2.0
"""Sender's and receiver's account of one message lie no further apart than this, in seconds."""

UNNAMED = frozenset({"", "phone", "unknown"})
"""What a role calls a phone whose name it leaves to the event's ``phone`` field."""


Repeated: TypeAlias = dict[tuple[str, str, str], dict[str, int]]
"""How often each summary went one way, by protocol, sender and receiver."""


class Step(NamedTuple):
    """One line of the ladder: a message, or a decision, for which ``sender`` and ``receiver`` are the role that took it."""

    at: float
    sender: str
    receiver: str
    words: str
    message: bool


def ladder(entries: Iterable[Entry], phone: str, width: int = LINE_WIDTH) -> str:
    """Draw the ladder of a phone; no line is longer than ``width`` (at least :data:`SMALLEST_LINE`)."""
    width = max(width, SMALLEST_LINE)
    steps = _steps(sorted(entries, key=lambda entry: entry.at), phone)
    if not steps:
        return _cut(f"nothing is remembered of {printable(phone, 64)}", width) + "\n"
    left_out, steps = max(0, len(steps) - STEPS_LIMIT), steps[-STEPS_LIMIT:]
    columns, legend = _columns(steps, phone)
    lines = [f"ladder of {printable(phone, 64)}, {len(steps)} steps, times in seconds"]
    if left_out:
        lines.append(f"{left_out} earlier steps are left out")
    lines += [f"  {alias} = {name}" for alias, name in legend.items()]
    labels = list(dict.fromkeys(columns.values()))
    lines.append("time".rjust(TIME_WIDTH) + "  " + "".join(label.center(COLUMN_WIDTH) for label in labels))
    places = {name: labels.index(label) for name, label in columns.items()}
    lines += [_line(step, steps[0].at, places, len(labels)) for step in steps]
    return "".join(_cut(line.rstrip(), width) + "\n" for line in lines)


def _steps(entries: Sequence[Entry], phone: str) -> list[Step]:
    """Turn entries into steps: the two accounts of one message become one, and repetitions are counted."""
    steps: list[Step] = []
    waiting: dict[tuple[str, ...], list[tuple[float, str]]] = {}
    repeated: Repeated = {}
    for entry in entries:
        if not entry.is_message:
            # The heading tells whose ladder this is; its identity in every line would only push the news out of sight.
            told = entry.text.replace(phone, "phone") if phone else entry.text
            steps.append(Step(entry.at, entry.role, entry.role, f"{entry.id} {told}", False))
            continue
        protocol, summary = entry.field("protocol"), entry.field("summary")
        sender, receiver = (_name(entry.field(side), entry, phone) for side in ("sender", "receiver"))
        if _told_already(waiting, (protocol, sender, receiver, summary), entry):
            continue
        times = _count(repeated, protocol, sender, receiver, summary)
        again = f" (again, {times})" if times > 1 else ""
        steps.append(Step(entry.at, sender, receiver, f"{protocol} {summary}{again}", True))
    return steps


def _told_already(waiting: dict[tuple[str, ...], list[tuple[float, str]]], message: tuple[str, ...], entry: Entry) -> bool:
    """Whether the other side of this message has told of it; each account is used once."""
    accounts = waiting.setdefault(message, [])
    accounts[:] = [known for known in accounts if entry.at - known[0] <= PAIR_S]
    for known in accounts:
        if known[1] != entry.role:
            accounts.remove(known)
            return True
    accounts.append((entry.at, entry.role))
    return False


def _count(repeated: Repeated, protocol: str, sender: str, receiver: str, summary: str) -> int:
    """Count how often a message was sent since the other side last said anything: more than once is a retransmission."""
    repeated.pop((protocol, receiver, sender), None)
    counts = repeated.setdefault((protocol, sender, receiver), {})
    counts[summary] = counts.get(summary, 0) + 1
    return counts[summary]


def _name(participant: str, entry: Entry, phone: str) -> str:
    if participant in UNNAMED:
        participant = entry.phone or phone
    return "phone" if participant == phone else participant


def _columns(steps: Iterable[Step], phone: str) -> tuple[dict[str, str], dict[str, str]]:
    """Give each participant a column's label, and explain the labels that are not its name."""
    seen = dict.fromkeys(name for step in steps for name in (step.sender, step.receiver))
    names = [name for name in FIRST_COLUMNS if name in seen] + [name for name in seen if name not in FIRST_COLUMNS]
    columns: dict[str, str] = {}
    legend = {"phone": printable(phone, 64)} if "phone" in seen else {}
    peers = 0
    for place, name in enumerate(names):
        if place >= COLUMNS_LIMIT - 1 and len(names) > COLUMNS_LIMIT:
            columns[name] = OTHERS
        elif 0 < len(name) < COLUMN_WIDTH and name.isprintable() and not name.startswith("peer"):
            columns[name] = name
        else:
            peers += 1
            columns[name] = f"peer{peers}"
            legend[f"peer{peers}"] = printable(name, 64) or "(no name)"
    return columns, legend


def _line(step: Step, began: float, places: dict[str, int], count: int) -> str:
    row = [" "] * (COLUMN_WIDTH * count)
    middles = [place * COLUMN_WIDTH + COLUMN_WIDTH // 2 - 1 for place in range(count)]
    for middle in middles:
        row[middle] = "|"
    source, target = middles[places[step.sender]], middles[places[step.receiver]]
    if source == target:
        row[source] = "@" if step.message else "*"
    else:
        low, high = min(source, target), max(source, target)
        row[low + 1 : high] = "-" * (high - low - 1)
        row[target - 1 if target > source else target + 1] = ">" if target > source else "<"
    return f"{_time(step.at - began)}  {''.join(row)}  {printable(step.words, 1000)}"


def _time(seconds: float) -> str:
    shown = f"{seconds:.3f}"
    return (shown if len(shown) <= TIME_WIDTH else f"{seconds:.2e}").rjust(TIME_WIDTH)


def _cut(line: str, width: int) -> str:
    return line if len(line) <= width else line[: width - 3] + "..."
