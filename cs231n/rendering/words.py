"""Names and numbers as a reader writes them: ``epsilon`` is ε, ``x_hat`` is x̂, 0.02512 seconds are 25 ms."""

from __future__ import annotations

_LETTERS = dict(
    alpha="α", beta="β", gamma="γ", delta="δ", epsilon="ε", varepsilon="ε", zeta="ζ", eta="η", theta="θ", iota="ι",
    kappa="κ", lambda_="λ", mu="μ", nu="ν", xi="ξ", pi="π", rho="ρ", sigma="σ", tau="τ", phi="φ", varphi="φ",
    chi="χ", psi="ψ", omega="ω", Gamma="Γ", Delta="Δ", Theta="Θ", Lambda="Λ", Xi="Ξ", Pi="Π", Sigma="Σ",
    Phi="Φ", Psi="Ψ", Omega="Ω", ell="ℓ",
)  # fmt: skip
_LETTERS["lambda"] = _LETTERS.pop("lambda_")
_ACCENTS = {"hat": "\u0302", "bar": "\u0304", "tilde": "\u0303"}


def name(identifier: str) -> str:
    """A name for a picture or a sentence: Greek letters and accents drawn, the rest as it is."""
    stem, _, accent = identifier.rpartition("_")
    if stem and accent in _ACCENTS:
        return name(stem) + _ACCENTS[accent]
    return _LETTERS.get(identifier, identifier)


def italic(identifier: str) -> str:
    """A name in the letters of formulas: single letters slanted, words upright."""
    plain = name(identifier)
    if len(plain.rstrip("\u0302\u0303\u0304")) > 1:
        return plain
    return "".join(_slanted(character) for character in plain)


def _slanted(letter: str) -> str:
    if letter == "h":
        return "ℎ"
    for first, last, start in (("a", "z", 0x1D44E), ("A", "Z", 0x1D434), ("α", "ω", 0x1D6FC)):
        if first <= letter <= last:
            return chr(start + ord(letter) - ord(first))
    return letter


def duration(seconds: float) -> str:
    """25 ms, 1.3 s."""
    # The space does not break.
    return f"{max(seconds * 1000, 1):.0f}\u00a0ms" if seconds < 0.9995 else f"{seconds:.1f}\u00a0s"


def number(digits: str, places: int = 3) -> str:
    """A decimal of the counterexample, cut to what the eye needs."""
    try:
        value = float(digits)
    except ValueError:
        return digits
    if abs(value) < 1e-40:
        value = 0.0  # a rounding error of 50 digits
    return f"{value:.{places}g}".replace("-", "−")


def listing(items: list[str]) -> str:
    """a, b and c."""
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}" if items else ""
