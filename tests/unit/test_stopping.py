"""Work in a thread is waited for, also by whoever is cancelled, and stops then."""

from __future__ import annotations

import asyncio
import copy
import threading
import time
from typing import TYPE_CHECKING

import pytest

from kb.encoders.cross import CrossEncoder, Stated
from kb.encoders.shipped import Shipped
from kb.stopping import NEVER, Stop, Stopped, in_thread

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

TIMEOUT = 30.0


def test_a_stop_is_one_and_the_same_for_everybody_who_was_handed_a_copy() -> None:
    """Haystack copies the inputs of its components."""
    stop = Stop()
    stop.check()
    copied = copy.deepcopy({"stop": stop})["stop"]
    stop.tell()
    with pytest.raises(Stopped):
        copied.check()
    NEVER.check()


def test_what_work_gives_or_raises_comes_out() -> None:
    """As of any call."""

    def fail(_stop: Stop) -> None:
        raise LookupError("nothing there")

    assert asyncio.run(in_thread(lambda _stop: 3)) == 3
    with pytest.raises(LookupError, match="nothing there"):
        asyncio.run(in_thread(fail))


class Work:
    """Goes on until it is told to stop, and then waits for ``released`` before it ends."""

    def __init__(self) -> None:
        self.begun = threading.Event()
        self.told = threading.Event()
        self.released = threading.Event()
        self.over = False

    def __call__(self, stop: Stop) -> None:
        """Work."""
        self.begun.set()
        try:
            while True:
                stop.check()
        finally:
            self.told.set()
            assert self.released.wait(TIMEOUT)
            self.over = True


@pytest.mark.parametrize("times", [1, 3])
def test_whoever_is_cancelled_waits_until_the_work_has_stopped(times: int) -> None:
    """However often it is cancelled meanwhile."""
    work = Work()

    async def steps() -> bool:
        task = asyncio.create_task(in_thread(work))
        await asyncio.to_thread(work.begun.wait, TIMEOUT)
        for _ in range(times):
            task.cancel()
            await asyncio.to_thread(work.told.wait, TIMEOUT)
        assert not task.done()
        work.released.set()
        with pytest.raises(asyncio.CancelledError):
            await task
        return work.over

    assert asyncio.run(steps()), "the work was over when the task was"


class Counting(Shipped):
    """Models that count the texts they begin with, and those that they have done."""

    def __init__(self) -> None:
        super().__init__()
        self._counting = threading.Lock()
        self.begun = 0
        self.done = 0

    def _vectors(self, ids: Sequence[int]) -> NDArray[np.float32]:
        with self._counting:
            self.begun += 1
        time.sleep(0.02)
        with self._counting:
            self.done += 1
        return super()._vectors(ids)


class AfterThree(Stop):
    """Is told to stop when three checkpoints were passed."""

    def __init__(self) -> None:
        super().__init__()
        self.passed = 0

    def check(self) -> None:
        """Count."""
        self.passed += 1
        if self.passed == 3:
            self.tell()
        super().check()


def test_reading_stops_between_two_sentences() -> None:
    """What was not begun stays unread, and nothing is being read once it has stopped."""
    models = Counting()
    sentences = [Stated("Fonds", "", f"Le fonds prête {number} euros.") for number in range(200)]
    with pytest.raises(Stopped):
        CrossEncoder(models).score("Que prête le fonds ?", sentences, AfterThree())
    assert 3 <= models.done < len(sentences)
    assert models.begun == models.done
    CrossEncoder(models).score("Que prête le fonds ?", sentences[:1])
    assert models.begun < len(sentences)
