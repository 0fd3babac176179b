"""So much a second and no more: a flood of one kind must not fill the log or the line."""


class PerSecond:
    """Admits a number of things in each second, which begins with the first of them.

    :param most: how many.
    """

    __slots__ = ("_admitted", "_began", "_most")

    def __init__(self, most: int) -> None:
        self._most = most
        self._began = 0.0
        self._admitted = 0

    def admits(self, now: float) -> bool:
        """Whether another one may pass at this time (seconds of the server's clock)."""
        if not 0.0 <= now - self._began < 1.0:
            self._began, self._admitted = now, 0
        self._admitted += 1
        return self._admitted <= self._most
