"""The conformance kit of AttNS on example-method."""

from attns_core.testing import conformance_tests

# A check that cannot pass is declared: expected_failures={"check-name": "the reason"}.
test_example_method = conformance_tests("method", "example-method")
