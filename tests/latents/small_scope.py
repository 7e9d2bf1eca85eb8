"""A small scope of expressions, and the error of one that is wrong."""

import pytest
import torch

from explorer.latents.expression_text import ExpressionError
from explorer.latents.expressions import Scope, evaluate

FASHION = ["T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"]
DIGITS = [str(i) for i in range(10)]


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def draw(seed):
    return normal(4, seed=seed)


def scope(classes=DIGITS, **changed):
    given = {
        "here": normal(4, seed=3),
        "upload": normal(4, seed=4),
        "draw": draw,
        "names": {"smile": normal(4, seed=5)},
    }
    return Scope(normal(len(classes), 4), classes, normal(20, 4, seed=1), **(given | changed))


SCOPE = scope()


def wrong(text, scope=SCOPE):
    with pytest.raises(ExpressionError) as caught:
        evaluate(text, scope)
    return caught.value
