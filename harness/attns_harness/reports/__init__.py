"""Reports: what people read and publish, made from a run's tables alone."""

from attns_harness.reports.write import write_report as write_report
