"""Reports: what people read and publish, made from a run's tables alone."""
