"""Expressions agree with NumPy on the same tree, and what is built is read again."""

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from explorer.latents.expression_parser import MOST_CHARACTERS
from explorer.latents.expressions import build, evaluate, parse
from explorer.latents.references import LARGEST_SEED, Reference, check_name
from tests.latents.small_scope import FASHION, SCOPE, draw, normal, scope, wrong

CODES = {
    **{f"mean({i})": SCOPE.means[i] for i in range(10)},
    **{f"item({i})": SCOPE.items[i] for i in range(20)},
    "draw(7)": draw(7),
    "here": SCOPE.here,
    "upload": SCOPE.upload,
    "origin": torch.zeros(4),
    "smile": SCOPE.names["smile"],
}


# ---- the same as NumPy

numbers = st.one_of(
    st.integers(0, 20).map(str),
    st.floats(0.01, 50).map(repr),
    st.sampled_from([".5", "1.", "1e-2", "2E+1"]),
).map(lambda text: (text, float(text)))
codes = st.sampled_from(list(CODES)).map(lambda text: (text, CODES[text].double().numpy()))
spaces = st.sampled_from(["", " ", "  ", "\n"])


def joined(symbol, compute, left, right):
    def make(parts):
        (a, x), (b, y), before, after = parts
        return f"({a}){before}{symbol}{after}({b})", compute(x, y)

    return st.tuples(left, right, spaces, spaces).map(make)


def signed(value):
    return value.map(lambda v: (f"-({v[0]})", -v[1])) | value.map(lambda v: (f"+ ({v[0]})", v[1]))


number_trees = st.recursive(
    numbers,
    lambda n: st.one_of(
        signed(n), joined("+", np.add, n, n), joined("−", np.subtract, n, n), joined("·", np.multiply, n, n)
    ),
    max_leaves=4,
)
code_trees = st.recursive(
    codes,
    lambda c: st.one_of(
        signed(c),
        joined("+", np.add, c, c),
        joined("-", np.subtract, c, c),
        joined("*", np.multiply, number_trees, c),
        joined("×", np.multiply, c, number_trees),
        joined("/", np.divide, c, numbers.filter(lambda n: n[1] > 0)),
    ),
    max_leaves=8,
)


@given(tree=code_trees)
@settings(deadline=None)
def test_a_tree_is_what_numpy_makes_of_it(tree):
    text, expected = tree
    assume(len(text) <= MOST_CHARACTERS and np.abs(expected).max() < 1e30)
    result = evaluate(text, SCOPE)
    # What cancels leaves the rounding of its largest part.
    largest = max(abs(t.weight) * float(t.code.abs().max()) for t in result.terms)
    np.testing.assert_allclose(result.code.numpy(), expected, rtol=1e-5, atol=1e-6 + 1e-9 * largest)
    total = sum(t.weight * t.code.double() for t in result.terms)
    torch.testing.assert_close(result.code, total.float())
    assert [t.reference for t in result.terms] == parse(text).references()


@given(
    terms=st.lists(st.tuples(st.floats(-50, 50), st.sampled_from(list(CODES))), min_size=1, max_size=8),
    products=st.lists(st.sampled_from(["*", "/"]), min_size=8, max_size=8),
)
@settings(deadline=None)
def test_precedence_and_order_are_those_of_arithmetic(terms, products):
    """Without brackets, against the same sum written out in NumPy."""
    text, expected = "", 0.0
    for (weight, name), product in zip(terms, products, strict=False):
        text += f" + {weight!r}*{name}{product}3 - 2 * {name}/4"
        code = CODES[name].double().numpy()
        expected = expected + (weight * code * 3 if product == "*" else weight * code / 3) - 2 * code / 4
    assume(len(text) <= MOST_CHARACTERS)
    np.testing.assert_allclose(evaluate(text, SCOPE).code.numpy(), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("text", "weights"),
    [
        ("mean(7) - mean(1) + mean(4)", {"mean(7)": 1, "mean(1)": -1, "mean(4)": 1}),
        ("0.5*mean(3) + 0.5*mean(8)", {"mean(3)": 0.5, "mean(8)": 0.5}),
        ("item(4) + 1.5*(mean(9) - mean(4))", {"item(4)": 1, "mean(9)": 1.5, "mean(4)": -1.5}),
        ("mean(3)/3", {"mean(3)": 1 / 3}),
        ("--here", {"here": 1}),
        ("-2*-here", {"here": 2}),
        ("1/2*here*4", {"here": 2}),
        ("2*(1+1)/4*(here-(upload-smile))", {"here": 1, "upload": -1, "smile": 1}),
        ("here - here", {"here": 0}),
        ("Mean( 3 ) + HERE + Item(1) + Smile", {"mean(3)": 1, "here": 1, "item(1)": 1, "smile": 1}),
        ("item(007) − draw(7)×2", {"item(7)": 1, "draw(7)": -2}),
    ],
)
def test_weights_are_exact_and_in_order(text, weights):
    assert {t.reference.text: t.weight for t in evaluate(text, SCOPE).terms} == weights
    assert [t.reference.text for t in evaluate(text, SCOPE).terms] == list(weights)


@pytest.mark.parametrize(
    "name", ["Ankle boot", "T-shirt/top", " Ankle boot ", "ankle BOOT", '"Ankle boot"', "'Ankle boot'", "“ankle boot”"]
)
def test_how_a_class_is_named(name):
    means = scope(FASHION).means
    expected = means[9] if "nkle" in name else means[0]
    result = evaluate(f"mean({name})", scope(FASHION))
    assert torch.equal(result.code, expected)
    assert result.terms[0].reference.argument in FASHION


def test_two_spellings_of_a_class_are_one_term():
    (term,) = evaluate("mean(bag) + mean(Bag)", scope(FASHION)).terms
    assert (term.weight, term.reference.text) == (2, "mean(Bag)")


def test_classes_that_differ_in_case_alone():
    both = scope(["a", "A"])
    assert torch.equal(evaluate("mean(A)", both).code, both.means[1])
    assert str(wrong("mean(á)", both)) == "There is no class “á”; the classes are a, A."


@given(name=st.text(min_size=1, max_size=30))
@settings(deadline=None)
def test_any_class_can_be_named(name):
    named = scope([name, name + "'s"])
    for row, reference in enumerate([Reference("mean", name), Reference("mean", name + "'s")]):
        assert torch.equal(evaluate(reference.text, named).code, named.means[row])


def test_items_by_their_index_in_the_data_set():
    some = scope(index=torch.arange(0, 60, 3))
    assert torch.equal(evaluate("item(6)", some).code, some.items[2])
    assert str(wrong("item(7)", some)) == "Item 7 is not among the stored codes; the nearest one stored is item 6."
    assert str(wrong("item(58)", some)) == "There is no item 58; items go from 0 to 57."


# ---- building


references = st.one_of(
    st.text(max_size=12).map(lambda name: Reference("mean", name)),
    st.integers(0, 10**9).map(lambda n: Reference("item", n)),
    st.integers(0, LARGEST_SEED).map(lambda n: Reference("draw", n)),
    st.sampled_from([Reference("here"), Reference("upload"), Reference("origin"), Reference("name", "smile_2")]),
)


@given(
    terms=st.lists(
        st.tuples(st.floats(allow_nan=False, allow_infinity=False) | st.integers(-3, 3), references),
        min_size=1,
        max_size=8,
        unique_by=lambda term: term[1],
    )
)
@settings(deadline=None)
def test_what_is_built_is_read_with_the_same_weights(terms):
    text = build(terms)
    assert len(text) <= MOST_CHARACTERS
    assert [(p.weight, p.reference) for p in parse(text).parts] == [(float(w), r) for w, r in terms]


def test_what_is_built_looks_as_one_would_type_it():
    mean = [Reference("mean", str(i)) for i in range(10)]
    assert build([(1, mean[7]), (-1, mean[1]), (0.5, mean[4])]) == "mean(7) - mean(1) + 0.5*mean(4)"
    assert build([(-2.0, mean[7]), (-0.25, Reference("mean", "Ankle boot"))]) == '-2*mean(7) - 0.25*mean("Ankle boot")'
    assert build([]) == ""
    with pytest.raises(ValueError, match="finite"):
        build([(float("nan"), mean[1])])


@pytest.mark.parametrize(
    ("kind", "argument"),
    [
        ("mean", None),
        ("item", -1),
        ("item", "3"),
        ("draw", LARGEST_SEED + 1),
        ("here", 1),
        ("name", "here"),
        ("name", "a b"),
        ("name", None),
    ],
)
def test_a_reference_that_cannot_be_written(kind, argument):
    with pytest.raises(ValueError, match="not an argument"):
        Reference(kind, argument)


@pytest.mark.parametrize("name", ["smile", "_x", "a1", "means", "x" * 40])
def test_names(name):
    check_name(name)
    assert torch.equal(evaluate(name, scope(names={name: normal(4)})).code, normal(4))


@pytest.mark.parametrize("name", ["", "a b", "1a", "é", "a-b", "here", "Mean", "ORIGIN", "nan", "inf", "x" * 41, "a\n"])
def test_names_that_would_not_do(name):
    with pytest.raises(ValueError, match=r"^[^\n]+\.$"):
        check_name(name)
