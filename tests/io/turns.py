"""A reactor whose time and turns the test takes."""

from typing import Any

from twisted.internet.task import Clock


class Turns(Clock):
    """Readers have their turn when the test says so."""

    def __init__(self) -> None:
        super().__init__()
        self.readers: list[Any] = []

    def addReader(self, reader: Any) -> None:
        assert reader not in self.readers
        self.readers.append(reader)

    def removeReader(self, reader: Any) -> None:
        self.readers.remove(reader)

    def turn(self) -> None:
        for reader in list(self.readers):
            reader.doRead()
