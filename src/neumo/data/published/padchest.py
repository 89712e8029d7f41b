"""PadChest: a table of findings in lists, some rows of which have none."""

from __future__ import annotations

import re

NAME = "PadChest"
TABLE = re.compile(r"PADCHEST_chest_x_ray_images_labels[\w.]*\.csv(\.gz)?")
HEADINGS = {"ImageID", "ImageDir", "PatientID", "Projection", "Labels"}
OPTIONS = "--positive pneumonia --skip-missing"
"""What to say of its findings: most images have another one than pneumonia, and some rows have none."""
