from __future__ import annotations

from tests.small_study import results as results
from tests.small_study import study as study
