"""Analysis of result tables: curves, comparisons, judgements; every claim with its evidence."""

from attns_harness.analysis.table import load_table as load_table
from attns_harness.analysis.table import prepare as prepare
from attns_harness.analysis.work_precision import Curve as Curve
from attns_harness.analysis.work_precision import WorkPrecisionSet as WorkPrecisionSet
