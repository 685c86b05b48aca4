"""Conformance checks for plugin authors: the same that AttNS runs over its own parts.

In a plugin's tests, three lines::

    from attns_core.testing import conformance_tests

    test_conformance = conformance_tests("solver", "my-solver")

On the command line: ``attns check my-solver``.
"""

from attns_core.testing.kit import Check as Check
from attns_core.testing.kit import CheckFailure as CheckFailure
from attns_core.testing.kit import CheckResult as CheckResult
from attns_core.testing.kit import CheckSkipped as CheckSkipped
from attns_core.testing.kit import Context as Context
from attns_core.testing.kit import checked_kinds as checked_kinds
from attns_core.testing.kit import checks_of as checks_of
from attns_core.testing.kit import require as require
from attns_core.testing.kit import run_check as run_check
from attns_core.testing.kit import run_checks as run_checks
from attns_core.testing.parametrize import conformance_tests as conformance_tests
