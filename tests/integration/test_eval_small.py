from __future__ import annotations

import pytest

from evaluation import small


@pytest.mark.slow
@pytest.mark.parametrize("part", small.PARTS)
def test_nothing_fell_below_the_committed_figures(
    part: str, request: pytest.FixtureRequest
) -> None:
    """The default encoder and query path find and answer as well as when figures were committed.

    `kb eval small --update` commits to what is measured now.
    """
    if part != small.STARTER_GOLD:
        request.getfixturevalue("shared_data")
    assert small.losses(part, small.figures(part)) == []
