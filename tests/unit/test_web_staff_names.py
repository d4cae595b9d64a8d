"""What the pages of the team call what they list."""

from __future__ import annotations

from api.web.staff import ACTIONS, DOORS, OUTCOMES, SAID
from api.web.staff_uploads import STATES, VISIBILITIES
from kb.keys import Door
from kb.model import FeedbackKind, Visibility
from kb.record.audit import Action, Outcome
from kb.record.uploads import UploadState


def test_everything_that_may_be_listed_has_a_name() -> None:
    """A new action or door without one breaks the page that lists what was done."""
    assert set(ACTIONS) == set(Action)
    assert set(DOORS) == set(Door)
    assert set(OUTCOMES) == set(Outcome)
    assert set(SAID) == set(FeedbackKind)
    assert set(STATES) == set(UploadState)
    assert set(VISIBILITIES) == set(Visibility)
