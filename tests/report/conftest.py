from __future__ import annotations

import pytest

from neumo.report.drawing import Drawing
from neumo.report.figures import draw
from neumo.results.results import Results
from tests.small_study import results as results
from tests.small_study import study as study


@pytest.fixture(scope="session")
def drawings(study: Results) -> dict[str, Drawing]:
    """The figures of `study`, for tests that look at them only."""
    return draw(study)
