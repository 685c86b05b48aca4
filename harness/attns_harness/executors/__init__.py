"""Executors: where tasks run. The coordinator submits tasks and collects reports; it alone writes."""

from attns_harness.executors.base import AbstractExecutor as AbstractExecutor
from attns_harness.executors.base import Activity as Activity
