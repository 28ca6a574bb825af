"""What computed a result, beside its method: the last digits of a float may depend on it."""

from __future__ import annotations

import platform

import numpy as np
import scipy

BUILD = {
    "python": platform.python_version(),
    "numpy": np.__version__,
    "scipy": scipy.__version__,
    "machine": platform.machine(),
}
