r"""Contrastive loss of SimCLR: each row must find its partner among all other rows, by cosine similarity.

Derivation: [Contrastive loss](../losses/contrastive.md)
"""

import numpy as np


def nt_xent_loss(z: np.ndarray, partner: np.ndarray, tau: float, eps: float = 1e-8) -> tuple[float, np.ndarray]:
    r"""The normalized, temperature-scaled cross-entropy (NT-Xent) of rows in any order, and its gradient.

    A row whose length is at most `eps` has no direction: its similarities count as 0, and it gets no gradient.

    Derivation: [Contrastive loss](../losses/contrastive.md)

    Source: Chen, Kornblith, Norouzi & Hinton, A simple framework for contrastive learning of visual representations,
    ICML 2020, equation (1); its N pairs are our A = 2N rows.

    Args:
        z: (A, D) the embeddings, of any length.
        partner: (A,) for each row the number of the row that it should find.
        tau: number, the temperature, positive.
        eps: number, the length up to which a row counts as zero.

    Returns:
        loss: a number, the mean over the rows.
        dz: (A, D) gradient of the loss with respect to `z`.

    Raises:
        ValueError: wrong shape, a partner that is no other row, `z` that does not hold real numbers, or a temperature
            that is not positive.

    >>> z = np.array([[3.0, 0.0], [0.0, 2.0], [5.0, 0.0], [0.0, 1.0]])
    >>> loss, dz = nt_xent_loss(z, np.array([2, 3, 0, 1]), 0.5)
    >>> round(float(loss), 6)  # log(e² + 2) − 2
    0.239545
    >>> (dz * z).sum(axis=1)  # no gradient along a row: the length does not count
    array([0., 0., 0., 0.])
    """
    if z.dtype.kind not in "fO":
        raise ValueError(f"z: expected real floating-point numbers, got dtype {z.dtype}")
    if z.ndim != 2 or z.shape[0] < 2 or z.shape[1] == 0:
        raise ValueError(f"expected z of shape (A, D) with A >= 2 and D >= 1, got {z.shape}")
    A, rows = z.shape[0], np.arange(z.shape[0])
    if partner.shape != (A,) or partner.dtype.kind not in "iu":
        raise ValueError(f"expected integers partner of shape {(A,)}, got {partner.dtype} of shape {partner.shape}")
    if partner.min() < 0 or partner.max() >= A or (partner == rows).any():
        raise ValueError(f"expected each partner to be another row from 0 to {A - 1}, got {partner}")
    if not tau > 0:
        raise ValueError(f"expected a positive temperature tau, got {tau}")

    tau = z.dtype.type(tau)

    s = np.sqrt((z**2).sum(axis=1, keepdims=True))
    there = s > eps
    r = there / np.where(there, s, 1)  # one over the length; 0 for a zero row
    u = r * z

    S = (u / tau) @ u.T
    S[rows, rows] = -1 / tau  # no cosine is smaller, so a row itself is never the largest
    top = S.max(axis=1, keepdims=True)
    E = np.exp(S - top)
    E[rows, rows] = 0  # and it is no candidate
    sums = E.sum(axis=1, keepdims=True)
    loss = (np.log(sums[:, 0]) + top[:, 0] - S[rows, partner]).mean()

    dS = E / sums
    dS[rows, partner] -= 1
    du = (dS + dS.T) @ u / (A * tau)
    dz = r * (du - u * (du * u).sum(axis=1, keepdims=True))
    return loss, dz


def simclr_loss(
    left: np.ndarray, right: np.ndarray, tau: float, eps: float = 1e-8
) -> tuple[float, np.ndarray, np.ndarray]:
    r"""NT-Xent for two views of each example, with the arguments of the course, and the gradients of both.

    The same numbers as `nt_xent_loss` of all rows in one array, faster: the exponentials are symmetric as long as all
    rows are shifted alike, so the probabilities and their transpose come from one matrix.

    Derivation: [Contrastive loss](../losses/contrastive.md)

    Source: Chen, Kornblith, Norouzi & Hinton (2020), equation (1) and algorithm 1.

    Args:
        left: (N, D) the embeddings of one view of N examples.
        right: (N, D) the embeddings of the other view, in the same order.
        tau: number, the temperature, positive.
        eps: number, the length up to which a row counts as zero.

    Returns:
        loss: a number, the mean over all 2N rows.
        dleft: (N, D) gradient of the loss with respect to `left`.
        dright: (N, D) gradient of the loss with respect to `right`.

    Raises:
        ValueError: wrong shape, an array that does not hold real numbers, or a temperature that is not positive.

    >>> left, right = np.array([[3.0, 0.0], [0.0, 2.0]]), np.array([[5.0, 0.0], [0.0, 1.0]])
    >>> loss, dleft, dright = simclr_loss(left, right, 0.5)
    >>> round(float(loss), 6)  # log(e² + 2) − 2
    0.239545
    >>> dleft.round(6) + 0
    array([[0.      , 0.071005],
           [0.106507, 0.      ]])
    """
    for name, array in (("left", left), ("right", right)):
        if array.dtype.kind not in "fO":
            raise ValueError(f"{name}: expected real floating-point numbers, got dtype {array.dtype}")
    if left.ndim != 2 or left.size == 0:
        raise ValueError(f"expected left of shape (N, D) with N >= 1 and D >= 1, got {left.shape}")
    if right.shape != left.shape:
        raise ValueError(f"expected right of shape {left.shape}, got {right.shape}")
    if not tau > 0:
        raise ValueError(f"expected a positive temperature tau, got {tau}")
    z = np.concatenate([left, right])
    N, A, rows = left.shape[0], z.shape[0], np.arange(z.shape[0])
    partner = (rows + N) % A
    tau = z.dtype.type(tau)

    s = np.sqrt((z**2).sum(axis=1, keepdims=True))
    there = s > eps
    r = there / np.where(there, s, 1)
    u = r * z

    E = (u / tau) @ u.T
    E -= 1 / tau  # one shift for all rows keeps E symmetric; no cosine is above 1
    np.exp(E, out=E)
    E[rows, rows] = 0
    sums = E.sum(axis=1)
    if sums.min() < 1e-12:  # a row far from all others: it needs a shift of its own
        loss, dz = nt_xent_loss(z, partner, tau, eps)
        return loss, dz[:N], dz[N:]
    cosines = (u[:N] * u[N:]).sum(axis=1)
    loss = np.log(sums).mean() + (1 - cosines).mean() / tau

    E *= 1 / sums + 1 / sums[:, None]  # P and its transpose
    du = (E @ u - 2 * u[partner]) / (A * tau)
    dz = r * (du - u * (du * u).sum(axis=1, keepdims=True))
    return loss, dz[:N], dz[N:]
