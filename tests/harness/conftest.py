"""Fixtures of the harness tests."""

import sys
from pathlib import Path

# Synthetic tables are shared by several test files; tests are no package.
sys.path.insert(0, str(Path(__file__).parent))
