"""Options by name: what may stand for several values, and what is refused."""

from dataclasses import dataclass

import pytest

from attns_core import AttnsError
from attns_core.options import replace_options


@dataclass(frozen=True)
class Recipe:
    widths: tuple[int, ...] = (2, 4)
    names: tuple[str, ...] = ("u",)
    rate: float = 0.1


@pytest.mark.parametrize("given", [8, [8], (8,)])
def test_one_value_is_a_tuple_where_several_may_stand(given: object) -> None:
    assert replace_options(Recipe(), "recipe 'r'", {"widths": given, "rate": 1}) == Recipe(widths=(8,), rate=1)
    assert replace_options(Recipe(), "recipe 'r'", {"names": "S"}).names == ("S",)


def test_text_among_numbers_and_unknown_names_are_refused_in_words() -> None:
    for text in ("[1, 2]", [1, "2"]):
        with pytest.raises(AttnsError, match=r"recipe 'r': widths takes numbers such as 2,4, got "):
            replace_options(Recipe(), "recipe 'r'", {"widths": text})
    with pytest.raises(AttnsError, match="recipe 'r' has no option 'width'; options: names, rate, widths"):
        replace_options(Recipe(), "recipe 'r'", {"width": 3})
