"""Columns of a row that come from the weights it was solved with."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from attns_core.training import Trained


def training_columns(trained: "Trained") -> dict[str, Any]:
    """What a row says of the training of its corrector."""
    metadata, corrector = trained.metadata, trained.corrector
    names = ("train_seconds", "data_seconds", "held_out_relative_error", "gated")
    chosen, asked = metadata.get("chosen") or {}, metadata.get("corrector") or {}
    dataset = metadata.get("dataset")
    return {
        **{name: metadata.get(name) for name in names},
        "input": corrector.input,
        "width": chosen.get("width", asked.get("width")),
        "dataset_id": dataset if isinstance(dataset, str) else (dataset or {}).get("id"),
        "n_weights": corrector.n_weights,
        "corrector_operations": corrector.operations,
        "lipschitz": (metadata.get("lipschitz") or {}).get("sampled"),
    }
