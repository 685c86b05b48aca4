"""New plugins from packaged templates: installable, documented and tested as generated."""

import keyword
import re
from importlib.resources import files
from pathlib import Path

from attns_core.errors import AttnsError, UnknownNameError

KINDS = ("solver", "equation", "method", "corrector", "metric", "report")


def write_plugin(name: str, kind: str, folder: Path) -> list[Path]:
    """Write a plugin package into a new folder and return the files written.

    Parameters
    ----------
    name : str
        What will be registered; the distribution becomes ``attns-NAME``, the module ``attns_NAME``.
    kind : str
        One of ``KINDS``.
    folder : path
        Must not exist, or be empty.

    Raises
    ------
    AttnsError
        For a name that cannot be a distribution's, or a folder that holds something.
    UnknownNameError
        For an unknown kind.
    """
    if kind not in KINDS:
        raise UnknownNameError("kind of plugin", kind, KINDS)
    if not re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", name):
        raise AttnsError(
            f"plugin name {name!r}: use lower-case letters and digits in words joined by single hyphens, "
            "starting with a letter, such as 'my-solver'"
        )
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise AttnsError(f"{folder} exists already; give another folder with --out, or remove it")
    from jinja2 import Environment, FunctionLoader, StrictUndefined

    templates = files("attns_harness") / "templates" / "plugin"
    environment = Environment(
        loader=FunctionLoader(lambda path: templates.joinpath(path).read_text(encoding="utf-8")),
        undefined=StrictUndefined,
        keep_trailing_newline=True,
        # What is written is Python, TOML and Markdown, and every value was validated above.
        autoescape=False,
    )
    module = name.replace("-", "_")
    values = {
        "name": name,
        "kind": kind,
        "module": module,
        "title": name.replace("-", " ").capitalize(),
        "symbol": f"{module}_" if keyword.iskeyword(module) else module,
        "constant": module.upper(),
    }
    test = "tests/report.py" if kind == "report" else "tests/conformance.py"
    places = {
        "pyproject.toml": "pyproject.toml",
        "README.md": "README.md",
        f"attns_{module}/__init__.py": f"kinds/{kind}.py",
        f"tests/test_{module}.py": test,
        ".github/workflows/test.yml": "ci.yml",
    }
    texts = {place: environment.get_template(f"{source}.jinja").render(values) for place, source in places.items()}
    texts[f"attns_{module}/py.typed"] = ""
    for place, text in texts.items():
        path = folder / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return [folder / place for place in texts]
