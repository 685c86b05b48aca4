"""Weights on disk: arrays as safetensors, everything else as JSON, both held against their hashes when loaded."""

import json
import os
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np

from attns_core.corrector_sequence import Correction, CorrectorSequence
from attns_core.equation import Equation
from attns_core.errors import AttnsError
from attns_core.identity import content_hash
from attns_core.method import AbstractMethod
from attns_core.trained_corrector import Layer, TrainedCorrector
from attns_core.training import Trained
from attns_core.types import Array

ARRAYS = "weights.safetensors"
METADATA = "metadata.json"
_FORMAT = 1
_PLAIN = ("mean", "scale", "exponents", "offset", "weights", "values", "bound", "clip", "lower", "upper", "tableau")


def save_weights(folder: Path | str, trained: Trained) -> Path:
    """Write ``weights.safetensors`` and ``metadata.json`` into ``folder``; both appear whole or not at all."""
    corrector = trained.corrector
    sequence = isinstance(corrector, CorrectorSequence)
    arrays = _sequence_arrays(corrector) if sequence else _arrays(corrector)
    form = {"steps": [_form(c) for c in corrector.correctors]} if sequence else _form(corrector)
    return write_arrays(folder, arrays, {**trained.metadata, "form": form})


def write_arrays(folder: Path | str, arrays: Mapping[str, Array], metadata: Mapping[str, Any]) -> Path:
    """Write named arrays and JSON metadata with their hashes; :func:`read_arrays` reads them."""
    from safetensors.numpy import save

    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    metadata = {**metadata, "weights_format": _FORMAT, "arrays_hash": content_hash(arrays)}
    metadata["metadata_hash"] = content_hash(metadata)
    _write(folder / ARRAYS, save(dict(arrays)))
    _write(folder / METADATA, json.dumps(metadata, indent=1, sort_keys=True, allow_nan=False).encode())
    return folder


def load_weights(
    folder: Path | str,
    *,
    equation: Equation | None = None,
    method: AbstractMethod | None = None,
    dt: float | None = None,
) -> Trained:
    """Read weights and check that they are whole and made for this problem.

    Raises
    ------
    AttnsError
        If a file is missing, truncated or altered, or the weights belong to another equation, other
        parameters, another method, step or dimension; the message says what differs.
    """
    folder = Path(folder)
    arrays, metadata = read_arrays(folder)
    wrong = differences(metadata, equation=equation, method=method, dt=dt)
    if wrong:
        raise AttnsError(f"{folder}: these weights are for another problem: " + "; ".join(wrong))
    corrector: Correction
    try:
        form = metadata["form"]
        corrector = _sequence(arrays, form["steps"]) if "steps" in form else _corrector(arrays, form)
    except (KeyError, IndexError, ValueError) as error:
        raise AttnsError(f"{folder}: incomplete weights ({error}); train again") from error
    return Trained(corrector=corrector, metadata=metadata)


def read_arrays(folder: Path) -> tuple[dict[str, Array], dict[str, Any]]:
    """Arrays and metadata that :func:`write_arrays` wrote.

    Raises
    ------
    AttnsError
        If a file is missing, truncated or altered.
    """
    metadata = _read_metadata(folder / METADATA)
    arrays = _read_arrays(folder / ARRAYS)
    if content_hash(arrays) != metadata.get("arrays_hash"):
        raise AttnsError(f"{folder / ARRAYS}: the arrays do not match their hash; the file was altered: train again")
    return arrays, metadata


def differences(
    found: Mapping[str, Any], *, equation: Equation | None, method: AbstractMethod | None, dt: float | None
) -> list[str]:
    """What differs between what weights or data were made for and what is wanted, in words.

    ``found`` is the metadata of weights, or maps ``equation``, ``method`` and ``dt`` to objects.
    """
    wrong: list[str] = []
    if equation is not None:
        had, params, rhs, dim = _equation_facts(found)
        if had != equation.name:
            wrong.append(f"equation {had!r}, wanted {equation.name!r}")
        else:
            wanted = {k: list(v) if isinstance(v, tuple) else v for k, v in equation.p.items()}
            for key in sorted({*params, *wanted}):
                if params.get(key) != wanted.get(key):
                    wrong.append(f"parameter {key}={_short(params.get(key))}, wanted {_short(wanted.get(key))}")
            if rhs != equation.identity()["rhs"]:
                wrong.append(f"the right-hand side of {had!r} has changed since")
        if dim != equation.dim:
            wrong.append(f"{dim} components, wanted {equation.dim}")
    if method is not None:
        had_method = found["method"]
        name = had_method if isinstance(had_method, str) else had_method.name
        identity = found["method_identity"] if isinstance(had_method, str) else had_method.identity()
        if identity != method.identity():
            wrong.append(f"method {name!r}, wanted {method.name!r}" if name != method.name else f"another {name!r}")
    if dt is not None and found["dt"] is None:
        wrong.append(f"a sequence of steps, wanted dt={dt:g}")
    elif dt is not None and abs(found["dt"] - dt) > 1e-12 * abs(dt):
        wrong.append(f"dt={found['dt']:g}, wanted {dt:g}")
    return wrong


def _equation_facts(found: Mapping[str, Any]) -> tuple[str, dict[str, Any], str, int]:
    equation = found["equation"]
    if isinstance(equation, Equation):
        params = {k: list(v) if isinstance(v, tuple) else v for k, v in equation.p.items()}
        return equation.name, params, equation.identity()["rhs"], equation.dim
    return equation, found["params"], found["rhs"], found["dim"]


def _short(value: Any) -> str:
    text = "absent" if value is None else f"{value!r}"
    return text if len(text) <= 40 else text[:37] + "..."


def _form(corrector: TrainedCorrector) -> dict[str, Any]:
    return {
        "input": corrector.input,
        "linear": corrector.linear,
        "active": corrector.active,
        "activations": [layer.activation for layer in corrector.layers],
    }


def _sequence_arrays(sequence: CorrectorSequence) -> dict[str, Any]:
    arrays = {"starts": np.ascontiguousarray(sequence.starts), "lengths": np.ascontiguousarray(sequence.lengths)}
    for i, corrector in enumerate(sequence.correctors):
        arrays |= {f"step{i}.{name}": value for name, value in _arrays(corrector).items()}
    return arrays


def _sequence(arrays: dict[str, Any], forms: list[dict[str, Any]]) -> CorrectorSequence:
    correctors = []
    for i, form in enumerate(forms):
        prefix = f"step{i}."
        own = {name.removeprefix(prefix): value for name, value in arrays.items() if name.startswith(prefix)}
        correctors.append(_corrector(own, form))
    return CorrectorSequence(correctors=tuple(correctors), starts=arrays["starts"], lengths=arrays["lengths"])


def _arrays(corrector: TrainedCorrector) -> dict[str, Any]:
    arrays = {name: np.ascontiguousarray(v) for name in _PLAIN if (v := getattr(corrector, name)) is not None}
    for i, layer in enumerate(corrector.layers):
        for part in ("weight", "bias", "shape"):
            arrays[f"layer{i}.{part}"] = np.ascontiguousarray(getattr(layer, part))
    return arrays


def _corrector(arrays: dict[str, Any], form: dict[str, Any]) -> TrainedCorrector:
    layers = tuple(
        Layer(activation=activation, **{part: arrays[f"layer{i}.{part}"] for part in ("weight", "bias", "shape")})
        for i, activation in enumerate(form["activations"])
    )
    known = {f.name for f in fields(TrainedCorrector)}
    plain = {name: arrays[name] for name in _PLAIN if name in arrays and name in known}
    if "tableau" in plain and plain["tableau"].ndim == 3:  # stored before weights could depend on the state
        plain["tableau"] = plain["tableau"][None]
    return TrainedCorrector(input=form["input"], linear=form["linear"], active=form["active"], layers=layers, **plain)


def _read_metadata(path: Path) -> dict[str, Any]:
    try:
        metadata = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise AttnsError(f"no weights in {path.parent}: {path.name} is missing; see 'attns train --help'") from None
    except (OSError, ValueError) as error:
        raise AttnsError(f"{path} is not readable as JSON ({error}); train again") from error
    if not isinstance(metadata, dict) or metadata.get("weights_format") != _FORMAT:
        raise AttnsError(f"{path}: not weights of format {_FORMAT}; train again with this version")
    stated = metadata.pop("metadata_hash", None)
    if content_hash(metadata) != stated:
        raise AttnsError(f"{path}: the metadata do not match their hash; the file was altered: train again")
    return metadata


def _read_arrays(path: Path) -> dict[str, Any]:
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        return load(path.read_bytes())
    except FileNotFoundError:
        raise AttnsError(f"no weights in {path.parent}: {path.name} is missing") from None
    except (OSError, SafetensorError, ValueError) as error:
        raise AttnsError(f"{path} is truncated or not safetensors ({error}); train again") from error


def _write(path: Path, content: bytes) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_bytes(content)
    os.replace(temporary, path)
