"""Matrix files: reading one, and saying what is wrong with it by file, key and nearest known key."""

import tomllib
from difflib import get_close_matches
from pathlib import Path
from typing import final

from pydantic import BaseModel, ValidationError

from attns_core.errors import AttnsError
from attns_harness.matrix import Analysis, Block, EquationAxis, Limits, Matrix, Quick, Regime, Timing


@final
class MatrixFile:
    """A matrix with the text it was read from and the plugin files it names."""

    def __init__(self, matrix: Matrix, text: str, path: Path) -> None:
        self.matrix, self.text, self.path = matrix, text, path

    @property
    def plugin_files(self) -> tuple[Path, ...]:
        """Single-file plugins, relative to the matrix file."""
        return tuple((self.path.parent / name).resolve() for name in self.matrix.plugins)


def load_matrix(path: str | Path) -> MatrixFile:
    """Read and validate a matrix.

    Raises
    ------
    AttnsError
        The file does not exist, is not TOML, or does not fit; the message names file, key and value.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise AttnsError(f"cannot read matrix {str(path)!r}: {error.strerror or error}") from None
    except UnicodeDecodeError:
        raise AttnsError(f"matrix {str(path)!r} is not UTF-8 text") from None
    return parse_matrix(text, path)


def parse_matrix(text: str, path: Path = Path("matrix.toml")) -> MatrixFile:
    """As :func:`load_matrix` with the text at hand; ``path`` is for messages and plugin files."""
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise AttnsError(f"{path}: not valid TOML: {error}") from None
    try:
        matrix = Matrix.model_validate(data)
    except ValidationError as error:
        raise AttnsError(_explain(error, path)) from None
    return MatrixFile(matrix, text, path)


def _explain(error: ValidationError, path: Path) -> str:
    """One line per mistake: ``file: block[0].dts[1] = -0.1: Input should be greater than 0``."""
    lines = []
    for item in error.errors(include_url=False)[:8]:
        place = ""
        for part in item["loc"]:
            place += f"[{part}]" if isinstance(part, int) else f".{part}" if place else str(part)
        if item["type"] == "extra_forbidden":
            key = str(item["loc"][-1])
            near = get_close_matches(key, _keys_at(item["loc"][:-1]), n=1, cutoff=0.5)
            remedy = f"did you mean {near[0]!r}?" if near else f"known keys: {', '.join(_keys_at(item['loc'][:-1]))}"
            lines.append(f"{path}: unknown key {place!r}: {remedy}")
        elif item["type"] == "missing":
            lines.append(f"{path}: key {place!r} is missing")
        else:
            shown = repr(item["input"])
            value = f" = {shown}" if len(shown) <= 60 and not isinstance(item["input"], dict) else ""
            lines.append(f"{path}: {place}{value}: {item['msg'].removeprefix('Value error, ')}")
    hidden = error.error_count() - len(lines)
    return "\n".join(lines) + (f"\n... and {hidden} more" if hidden > 0 else "")


def _keys_at(place: tuple[int | str, ...]) -> list[str]:
    names = [p for p in place if isinstance(p, str)]
    models: dict[str, type[BaseModel]] = {
        "": Matrix,
        "block": Block,
        "equations": EquationAxis,
        "limits": Limits,
        "timing": Timing,
        "regime": Regime,
        "quick": Quick,
        "analysis": Analysis,
    }
    return list(models.get(names[-1] if names else "", Matrix).model_fields)
