"""The checks that the page recommends can fail: they refuse its own programs with a planted mistake."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "foundations" / "in-your-framework.md").read_text("utf-8")

#: the line of the page that is the closed form, and what people write instead
DX = "dx = gamma * rstd / N * (N * dout - dbeta - x_hat * dgamma)"
MISTAKES = {
    "statistics as constants": "dx = gamma * rstd * dout",
    "only the mean": "dx = gamma * rstd / N * (N * dout - dbeta)",
    "only the variance": "dx = gamma * rstd / N * (N * dout - x_hat * dgamma)",
    "gamma lost": "dx = rstd / N * (N * dout - dbeta - x_hat * dgamma)",
    "gradients swapped": f"{DX}; dgamma, dbeta = dbeta, dgamma",
}


def fence_with(piece: str) -> str:
    (fence,) = (code for code in re.findall(r"^```python\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE) if piece in code)
    return fence


def torch_batchnorm(instead: str = DX, *, twice: bool = False) -> Any:
    code = fence_with("class BatchNorm(")
    assert DX in code and "    @once_differentiable\n" in code
    namespace: dict[str, Any] = {}
    if twice:
        code = code.replace("    @once_differentiable\n", "")
    exec(code.replace(DX, instead), namespace)
    return namespace["BatchNorm"]


def torch_inputs(rng: np.random.Generator) -> tuple[Any, ...]:
    import torch

    return (*(torch.tensor(rng.normal(size=shape), requires_grad=True) for shape in ((5, 3), (3,), (3,))), 1e-5)


@pytest.mark.torch
@pytest.mark.parametrize("mistake", MISTAKES)
def test_gradcheck_refuses(mistake: str, rng: np.random.Generator) -> None:
    import torch

    inputs = torch_inputs(rng)
    assert torch.autograd.gradcheck(torch_batchnorm().apply, inputs)
    wrong = torch_batchnorm(MISTAKES[mistake])
    assert not torch.autograd.gradcheck(wrong.apply, inputs, raise_exception=False)


@pytest.mark.torch
def test_without_its_decorator_the_second_derivative_is_wrong_without_a_word(rng: np.random.Generator) -> None:
    import torch

    unprotected = torch_batchnorm(twice=True)
    assert torch.autograd.gradcheck(unprotected.apply, torch_inputs(rng))
    assert not torch.autograd.gradgradcheck(unprotected.apply, torch_inputs(rng), raise_exception=False)


@pytest.mark.torch
def test_a_float32_check_is_warned_of(rng: np.random.Generator) -> None:
    import torch

    x = torch.tensor(rng.normal(size=(5, 3)), dtype=torch.float32, requires_grad=True)
    with pytest.warns(UserWarning, match="double precision"):
        torch.autograd.gradcheck(torch.relu, (x,), raise_exception=False)


@pytest.mark.jax
@pytest.mark.parametrize("mistake", MISTAKES)
def test_check_grads_refuses(mistake: str, rng: np.random.Generator) -> None:
    from jax.test_util import check_grads

    def check(instead: str) -> None:
        code = fence_with("def batchnorm_bwd(")
        assert DX in code
        namespace: dict[str, Any] = {}
        exec(fence_with("import jax.numpy"), namespace)  # float64, names
        exec(code.replace(DX, instead), namespace)
        inputs = [rng.normal(size=shape) for shape in ((5, 3), (3,), (3,))]
        check_grads(lambda *args: namespace["batchnorm"](*args, 1e-5), inputs, order=1, modes=["rev"])

    check(DX)
    with pytest.raises(AssertionError):
        check(MISTAKES[mistake])
