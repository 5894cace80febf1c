"""Every test runs on one core, draws no windows, and starts from the same random state."""

from __future__ import annotations

import os

os.environ.setdefault("MPLBACKEND", "Agg")

import pytest
import torch

torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def _same_start() -> None:
    torch.manual_seed(0)
