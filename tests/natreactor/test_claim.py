"""Two processes never keep the same kernel table."""

import pytest

from voxpath.core.errors import LocalError
from voxpath.natreactor.claim import claim, is_claimed


def test_a_table_has_one_keeper_until_it_lets_go() -> None:
    first = claim("tried_here")
    with pytest.raises(LocalError, match=r"another process keeps .* tried_here"):
        claim("tried_here")
    claim("tried_there").close()
    assert is_claimed("tried_here")
    first.close()
    assert not is_claimed("tried_here")
    claim("tried_here").close()
