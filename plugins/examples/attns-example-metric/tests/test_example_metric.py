"""The conformance kit of AttNS on example-metric."""

from attns_core.testing import conformance_tests

# A check that cannot pass is declared: expected_failures={"check-name": "the reason"}.
test_example_metric = conformance_tests("metric", "example-metric")
