"""Names and numbers as a reader writes them: ``epsilon > 0`` is ε > 0, ``x_hat`` is x̂."""

from __future__ import annotations

import re

_GREEK = dict(
    alpha="α", beta="β", gamma="γ", delta="δ", epsilon="ε", varepsilon="ε", zeta="ζ", eta="η", theta="θ", iota="ι",
    kappa="κ", lambda_="λ", mu="μ", nu="ν", xi="ξ", pi="π", rho="ρ", sigma="σ", tau="τ", phi="φ", varphi="φ",
    chi="χ", psi="ψ", omega="ω", Gamma="Γ", Delta="Δ", Theta="Θ", Lambda="Λ", Xi="Ξ", Pi="Π", Sigma="Σ",
    Phi="Φ", Psi="Ψ", Omega="Ω",
)  # fmt: skip
_GREEK["lambda"] = _GREEK.pop("lambda_")
_ACCENTS = {"hat": "\u0302", "bar": "\u0304", "tilde": "\u0303"}
_SIGNS = {">=": "≥", "<=": "≤", "!=": "≠", "-": "−"}


def name(identifier: str) -> str:
    """A name for a picture or a sentence: Greek letters and accents drawn, the rest as it is."""
    stem, _, accent = identifier.rpartition("_")
    if stem and accent in _ACCENTS:
        return name(stem) + _ACCENTS[accent]
    return _GREEK.get(identifier, identifier)


def condition(text: str) -> str:
    """A hypothesis in plain text, its names and signs drawn as on the page."""
    text = re.sub(r"[A-Za-z][A-Za-z_]*", lambda match: name(match[0]), text)
    return re.sub(r">=|<=|!=|(?<=[\w)\] ])-|^-", lambda match: _SIGNS[match[0]], text)


def duration(seconds: float) -> str:
    """25 ms, 1.3 s."""
    if seconds < 0.0995:
        return f"{max(seconds * 1000, 1):.0f} ms"
    return f"{seconds * 1000:.0f} ms" if seconds < 0.9995 else f"{seconds:.1f} s"


def number(digits: str, places: int = 3) -> str:
    """A decimal of the counterexample, cut to what the eye needs."""
    try:
        value = float(digits)
    except ValueError:
        return digits
    return f"{value:.{places}g}".replace("-", "−")


def listing(items: list[str]) -> str:
    """a, b and c."""
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}" if items else ""
