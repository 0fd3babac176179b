"""The state directory belongs to one process."""

from pathlib import Path
from typing import Any

import pytest
from twisted.internet import reactor as real

from voxpath.app.node import Node
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
