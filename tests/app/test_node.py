"""The state directory belongs to one process, which tells what the one before left."""

import shutil
from pathlib import Path
from typing import Any

import pytest
from twisted.internet import reactor as real

from voxpath.app.event import StoreRecovered
from voxpath.app.node import DATABASE, Node
from voxpath.app.schema import Config
from voxpath.core.errors import LocalError


async def test_a_state_directory_serves_one_process(tmp_path: Path) -> None:
    """Two processes with one store would give one address to two phones."""
    reactor: Any = real
    config = Config(state=str(tmp_path))
    node = Node.make(config, reactor)
    with pytest.raises(LocalError, match="another process"):
        Node.make(config, reactor)
    await node.close()
    await Node.make(config, reactor).close()


async def test_a_process_tells_that_the_one_before_did_not_close_the_store(tmp_path: Path) -> None:
    """A crash is seen in the events of the next start, and only there."""
    reactor: Any = real
    node = Node.make(Config(state=str(tmp_path / "running")), reactor)
    state = tmp_path / "crashed"
    state.mkdir()
    for name in (DATABASE, f"{DATABASE}-wal"):
        shutil.copy(tmp_path / "running" / name, state)
    await node.close()
    told = []
    for _ in range(2):
        node = Node.make(Config(state=str(state)), reactor)
        told.append([record.event for record in node.memory.last(10)])
        await node.close()
    ((event,), nothing) = told
    assert isinstance(event, StoreRecovered)
    assert event.pages > 0
    assert event.rest == "and there is nothing else"
    assert nothing == []
