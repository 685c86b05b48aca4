"""pandas without its types: its stubs model neither column access nor group-by results well enough."""

import importlib
from typing import Any, TypeAlias

pd: Any = importlib.import_module("pandas")

Frame: TypeAlias = Any
"""A pandas DataFrame."""

Column: TypeAlias = Any
"""A pandas Series."""
