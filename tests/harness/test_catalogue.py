"""The catalogue: a page for everything, formulas that render, plugin text that stays text."""

import dataclasses
import re
import warnings
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from attns_harness.catalogue import equation_page, formula_svg, solution_svg, write_catalogue
from attns_harness.catalogue.formula import formula_rows

from attns_core import Registry, build_registry

REGISTRY = build_registry()


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("catalogue")
    files = write_catalogue(REGISTRY, folder, solutions=False)
    assert files[0] == folder / "index.md"
    assert all(f.is_file() for f in files)
    assert sorted(files) == sorted(f for f in folder.rglob("*") if f.is_file())
    return folder


def test_everything_registered_has_a_page_and_the_index_finds_it(written: Path) -> None:
    index = (written / "index.md").read_text("utf-8")
    links = set(re.findall(r"\]\(([^)]+)\)", index))
    for kind in REGISTRY.kinds:
        for name in REGISTRY.names(kind.name):
            assert f"{kind.name}s/{name}.md" in links
    assert links == {p.relative_to(written).as_posix() for p in written.rglob("*.md")} - {"index.md"}


@pytest.mark.parametrize("name", REGISTRY.names("equation"))
def test_formula_is_drawn(written: Path, name: str) -> None:
    image = written / "equations" / f"{name}-formula.svg"
    assert f"({image.name})" in (written / "equations" / f"{name}.md").read_text("utf-8")
    paths = [e for e in ElementTree.parse(image).iter() if e.tag.endswith("}path")]
    assert len(paths) > 5


@pytest.mark.parametrize(
    ("name", "marks"), [("kepler", 20), ("burgers", 15), ("robertson", 20), ("logistic-forced", 10)]
)
def test_solution_is_drawn(name: str, marks: int) -> None:
    drawn = solution_svg(REGISTRY.equation(name))
    assert drawn is not None
    assert sum(e.tag.endswith(("}path", "}use", "}image")) for e in ElementTree.fromstring(drawn).iter()) > marks


def test_solutions_that_end_early_have_no_picture() -> None:
    blown_up = dataclasses.replace(
        REGISTRY.equation("logistic-forced"), rhs=lambda t, u, p, m: (u[0] ** 2,), t_end=16.0
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert solution_svg(blown_up) is None


def test_equation_page_says_what_the_equation_says() -> None:
    equation = REGISTRY.equation("elastic-pendulum")
    page = equation_page(equation, formula="elastic-pendulum.svg")
    for text in (
        "# Elastic pendulum",
        r"\dot{\theta} &= \omega",
        "| `l0` | number | 10 |",
        "| `k` | number | 40 |",
        "0.1, 0.05, 0.025, 0.0125",
        "| invariants | energy |",
        "10.1038/s41598-023-42194-y",
        "![Formula of Elastic pendulum](elastic-pendulum.svg)",
    ):
        assert text in page, text
    assert "Lyapunov" not in page
    assert "0.9056 (time 1.1)" in equation_page(REGISTRY.equation("lorenz-63"))


def test_examples_in_pages_run() -> None:
    page = equation_page(REGISTRY.equation("kepler"))
    (example,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    namespace: dict[str, Any] = {}
    exec(example, namespace)
    assert namespace["derivatives"].shape == (4, 8)


def test_method_page_shows_the_coefficients(written: Path) -> None:
    page = (written / "methods" / "rk4.md").read_text("utf-8")
    assert "| order | 4 |" in page
    assert "| **b** | 0.166667 | 0.333333 | 0.333333 | 0.166667 |" in page
    assert "| kick | 0.5, 0.5 |" in (written / "methods" / "stormer-verlet.md").read_text("utf-8")


def test_metric_pages_define_their_columns(written: Path) -> None:
    pages = "".join(p.read_text("utf-8") for p in (written / "metrics").glob("*.md"))
    for column in ("error_final", "diverged_fraction", "invariant_drift"):
        assert f"`{column}`" in pages


def test_long_systems_are_abridged() -> None:
    rows = formula_rows(dataclasses.replace(REGISTRY.equation("spring-chain"), latex=()))
    assert len(rows) == 7
    assert rows[4] == r"&\vdots"


def test_plugin_text_is_not_markup(tmp_path: Path) -> None:
    hostile = dataclasses.replace(
        REGISTRY.equation("kepler"),
        name="../evil|name",
        title="<script>alert(1)</script>",
        description="a | b `c` ![x](y) <img src=x>",
    )
    page = equation_page(hostile)
    assert "<script>" not in page
    assert r"\<script\>" in page
    assert r"a \| b `c` !\[x\](y) \<img src=x\>" in page
    kinds = tuple(k for k in REGISTRY.kinds if k.name == "equation")
    owner = REGISTRY.owner("equation", "kepler")
    registry = Registry((), kinds, {"equation": {hostile.name: hostile}}, {("equation", hostile.name): owner})
    files = write_catalogue(registry, tmp_path / "out")
    assert {f.relative_to(tmp_path / "out").as_posix() for f in files} == {
        "index.md",
        "equations/evil-name.md",
        "equations/evil-name-formula.svg",
        "equations/evil-name-solution.svg",
    }


def test_formulas_beyond_mathtext_have_no_image() -> None:
    assert formula_svg([r"x &= \begin{cases} 1 \end{cases}"]) is None
    drawn = formula_svg([r"x &= 1"])
    assert drawn is not None
    assert drawn.startswith(b"<?xml")
    assert drawn == formula_svg([r"x &= 1"])
