"""What is wrong with an expression is said in a sentence and at a place, and nothing else is ever raised."""

import re

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from explorer.latents.expression_parser import DEEPEST
from explorer.latents.expression_text import ExpressionError
from explorer.latents.expressions import Scope, evaluate, parse
from tests.latents.small_scope import DIGITS, FASHION, SCOPE, wrong

WRONG = [
    ("«»", "Type an expression, such as mean(7) - mean(1) + mean(4)."),
    ("«mean(11)» + here", "There is no class “11”; the classes are 0, 1, 2, 3, 4, 5, 6, 7, 8, 9."),
    ("here + «item(20)»", "There is no item 20; items go from 0 to 19."),
    ("«item(99999999999999999999)»", "There is no item 99999999999999999999; items go from 0 to 19."),
    ("«smlie»", "Nothing is called “smlie”; did you mean smile?"),
    ("«q»", "Nothing is called “q”; there are smile, mean(…), item(…), draw(…), here, upload, origin."),
    ("«mean»", "“mean” needs a class in brackets, as in mean(7)."),
    ("«item» 42", "“item” needs an item's number in brackets, as in item(42)."),
    ("2*«draw»", "“draw” needs a seed in brackets, as in draw(3)."),
    ("mean«[»3]", "Brackets are round here: ( and )."),
    ("mean«( )»", "Name a class in the brackets, as in mean(7)."),
    ("mean«(»3", "This bracket is never closed."),
    ("mean«(»'3'", "This bracket is never closed."),
    ("mean(«'»3)", "This quotation mark is never closed."),
    ("mean('3' «+» 1)", "After the quoted class only a closing bracket can stand."),
    (
        "mean(3 - mean«(»1)",
        "Close the first bracket before this one; a class with brackets in its name goes in quotes.",
    ),
    ("item«(-1)»", "“item” takes a whole number from 0 up, as in item(42)."),
    ("item«(1.5)»", "“item” takes a whole number from 0 up, as in item(42)."),
    ("item«(²)»", "“item” takes a whole number from 0 up, as in item(42)."),
    ("draw«(4294967296)»", "“draw” takes a whole number from 0 to 4294967295, as in draw(3)."),
    ("here«(»3)", "Only mean, item and draw take brackets, and “here” does not."),
    ("sin «(»3)", "Only mean, item and draw take brackets, and “sin” does not."),
    ("«7»", "This is a number and not a code; for classes write mean(7)."),
    (" «7 - 1+4» ", "This is a number and not a code; for classes write mean(7) - mean(1)+mean(4)."),
    ("«3/2»", "This is a number and not a code; use it to scale one, as in 0.5*mean(3)."),
    ("mean(7) «-» 1", "A code and a number cannot be added or subtracted; if 1 is a class, write mean(1)."),
    ("1.5 «+» here", "A code and a number cannot be added or subtracted; only * and / take a number."),
    ("mean(3)«*»here", "Two codes cannot be multiplied; scale one by a number, as in 0.5*mean(3)."),
    ("2«/»here", "Only numbers can divide, not codes; divide as in mean(3)/2."),
    ("here«/»here", "Only numbers can divide, not codes; divide as in mean(3)/2."),
    ("here«/0»", "This divides by zero."),
    ("2«/(1-1)»*here", "This divides by zero."),
    ("«1e999»*here", "This number is too large to compute with."),
    ("1e300*here«*»1e300", "This gives a number too large to compute with."),
    ("1e308«+»1e308", "This gives a number too large to compute with."),
    ("1e300«/»1e-300*here", "This gives a number too large to compute with."),
    ("«1e200*here»", "This gives a code too large to decode."),
    ("«inf»*here", "Numbers must be finite, and “inf” is not."),
    ("«NaN»*here", "Numbers must be finite, and “NaN” is not."),
    ("2 «mean»(3)", "A * is missing before this; a number times a code is written as in 2*mean(3)."),
    ("2«(»here)", "A * is missing before this; a number times a code is written as in 2*mean(3)."),
    ("here «upload»", "A + or - is missing before this."),
    ("(here) «2»", "A + or - is missing before this."),
    ("here«^»2", "There are no powers; only +, -, * and / are known."),
    ("here«**»2", "There are no powers; one * multiplies a code by a number."),
    ("0«,»5*here", "Decimals are written with a point, as in 0.5."),
    ("here «+»", "A number or a code is missing after this +."),
    ("here «−» ×2", "A number or a code is missing after this -."),
    ("(here «-» )", "A number or a code is missing after this -."),
    ("«*»2", "A number or a code is missing before this *."),
    ("(«/»2)", "A number or a code is missing before this /."),
    ("«(»here", "This bracket is never closed."),
    ("here + «(»", "This bracket is never closed."),
    ("here«)»", "This closing bracket has no opening one."),
    ("«)»", "This closing bracket has no opening one."),
    ("2*«( )»", "There is nothing in these brackets."),
    ("«“»here”", 'Quotes stand only around a class, as in mean("Ankle boot").'),
    ("sm«î»le", "“î” cannot be in a name; names have only the letters a to z, digits and _."),
    ("here «$» 2", "“$” means nothing here; only numbers, codes, brackets and + - * / are known."),
    ("here «\x00»", "This character means nothing here; only numbers, codes, brackets and + - * / are known."),
    (
        "here«,» upload",
        "“,” means nothing here; only numbers, codes, brackets and + - * / are known.",
    ),
]


@pytest.mark.parametrize(("marked", "sentence"), WRONG)
def test_what_is_wrong_and_where(marked, sentence):
    start, end = marked.index("«"), marked.index("»") - 1
    text = marked.replace("«", "").replace("»", "")
    error = wrong(text)
    assert str(error) == sentence
    assert (error.start, error.end) == (start, end)


MISSING = [
    ("mean(3)", {"means": None}, "These images have no labels, so there are no class means; use item(0) or draw(0)."),
    ("mean(8)", {"means": torch.full((10, 4), torch.nan)}, "Class “8” has no images here, so it has no mean."),
    ("here", {"here": None}, "No spot is chosen, so “here” has no code."),
    ("upload", {"upload": None}, "No image is uploaded, so “upload” has no code."),
    ("draw(3)", {"draw": None}, "This model has no prior to draw from; use item(0) instead."),
    ("item(0)", {"items": torch.zeros(0, 4)}, "This model has no stored codes, so there are no items."),
    ("old", {"names": {"old": torch.zeros(2)}}, "“old” belongs to a model with 2 latents, and this one has 4."),
    ("trouser", {"classes": FASHION}, "For the mean code of a class write mean(Trouser)."),
    ("trousers", {"classes": FASHION}, "Nothing is called “trousers”; did you mean mean(Trouser)?"),
    ("mean(Bagg)", {"classes": FASHION}, "There is no class “Bagg”; did you mean Bag?"),
    (
        "mean(q)",
        {"classes": [f"class {i}" for i in range(100)], "means": torch.zeros(100, 4)},
        "There is no class “q”; the classes are " + ", ".join(f"class {i}" for i in range(12)) + " and 88 more.",
    ),
]


@pytest.mark.parametrize(("text", "lacking", "sentence"), MISSING)
def test_what_a_scope_lacks(text, lacking, sentence):
    fields = {"means": SCOPE.means, "classes": DIGITS, "items": SCOPE.items, "here": SCOPE.here} | lacking
    error = wrong(f"0.5*({text})", Scope(**fields))
    assert str(error) == sentence
    assert (error.start, error.end) == (5, 5 + len(text))


def test_reading_needs_no_scope():
    assert [r.text for r in parse('mean(nobody) + item(10000000) - "x"'[:-6]).references()] == [
        "mean(nobody)",
        "item(10000000)",
    ]


def test_long_and_deep():
    assert len(evaluate("(" * DEEPEST + "here" + ")" * DEEPEST, SCOPE).terms) == 1
    error = wrong("(" * 400 + "here" + ")" * 400)
    assert str(error) == "Brackets can be nested 50 deep, and this is one too many."
    assert (error.start, error.end) == (50, 51)
    assert len(evaluate("-" * 996 + "here", SCOPE).terms) == 1
    assert evaluate("+".join(["here"] * 200), SCOPE).terms[0].weight == 200
    error = wrong("here+" * 2000 + "here")
    assert str(error) == "An expression has at most 1,000 characters, and this one has 10,004."
    assert (error.start, error.end) == (1000, 10_004)
    assert len(error.pointer()) < 150
    assert len(str(wrong("a" * 1000))) < 200
    assert len(str(wrong(f"mean({'a' * 900})"))) < 200


words = st.sampled_from(
    [
        "mean",
        "item",
        "draw",
        "here",
        "smile",
        "(",
        ")",
        "+",
        "-",
        "−",
        "*",
        "/",
        "1",
        ".5",
        "1e308",
        "0",
        " ",
        '"',
        "7",
        ",",
    ]
)


def result_or_error(text):
    try:
        return evaluate(text, SCOPE)
    except ExpressionError as error:
        return error


@given(text=st.text(max_size=60) | st.lists(words, max_size=25).map("".join))
@example("\x1f")
@example("1e")
@example("mean(\u2028)")
@settings(deadline=None, max_examples=400)
def test_any_text_is_an_expression_or_an_error_at_a_place(text):
    outcome = result_or_error(text)
    if isinstance(outcome, ExpressionError):
        assert 0 <= outcome.start <= outcome.end <= len(text)
        assert outcome.start < outcome.end or text == ""
        assert re.fullmatch(r"\S[^\n]*[.?]", str(outcome))
        if not text.strip():
            assert outcome.pointer() == ""
            return
        shown, carets = outcome.pointer().split("\n")
        assert set(carets.lstrip()) == {"^"}
        assert len(carets) <= len(shown)
    else:
        assert outcome.code.isfinite().all()


@pytest.mark.parametrize("length", [0, 30, 60, 61, 500])
def test_the_carets_stand_under_the_place(length):
    for text in ("here + " * (length // 7) + "$ + here", "$ + here" + " + here" * (length // 7)):
        shown, carets = wrong(text).pointer().split("\n")
        assert len(shown) <= 62
        assert shown[carets.index("^")] == "$"
        assert len(carets.strip()) == 1
