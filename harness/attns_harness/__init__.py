"""The harness: matrices of benchmarks, run, stored, analysed and reported."""
