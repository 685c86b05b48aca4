"""Columns of a row that come from the weights it was solved with."""

from typing import TYPE_CHECKING, Any

from attns_core.corrector_sequence import Correction, CorrectorSequence

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
        "n_weights": _n_weights(corrector),
        "corrector_operations": corrector.operations,
        "lipschitz": (metadata.get("lipschitz") or {}).get("sampled"),
    }


def _n_weights(corrector: Correction) -> int:
    """Layers' matrices, offsets, weights of values and of a learned tableau, over all steps."""
    if isinstance(corrector, CorrectorSequence):
        return sum(_n_weights(c) for c in corrector.correctors)
    layers = [a for layer in corrector.layers for a in (layer.weight, layer.bias)]
    arrays = [corrector.offset, corrector.weights, *layers]
    return sum(int(a.size) for a in arrays if a is not None) + corrector.tableau_weights
