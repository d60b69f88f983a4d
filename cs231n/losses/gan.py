r"""The losses of a generative adversarial network: of the discriminator and of the generator, from scores.

Derivation: [GAN losses](../losses/gan.md)
"""

import numpy as np


def _check(**scores: np.ndarray) -> None:
    for name, array in scores.items():
        if array.dtype.kind not in "fO":
            raise ValueError(f"{name}: expected real floating-point numbers, got dtype {array.dtype}")
        if array.size == 0:
            raise ValueError(f"expected {name} with at least one entry, got shape {array.shape}")


def _softplus_and_sigmoid(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The logarithm of 1 + exp(x), and its slope, without the exponential of a positive number."""
    z = np.exp(-np.abs(x))  # from 0 to 1
    return np.maximum(x, 0) + np.log1p(z), np.where(x >= 0, 1, z) / (1 + z)


def gan_discriminator_loss(logits_real: np.ndarray, logits_fake: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
    r"""Binary cross-entropy of the question "is it real?", the mean over real data plus the mean over fakes.

    Derivation: [GAN losses](../losses/gan.md)

    Source: Goodfellow et al., Generative adversarial networks, NeurIPS 2014, equation (1), with the sign of a loss.

    Args:
        logits_real: any shape, the scores of real data; large means "real".
        logits_fake: any shape, the scores of generated data; there may be another number of them.

    Returns:
        loss: a number.
        dlogits_real: the shape of `logits_real`, gradient of the loss with respect to it.
        dlogits_fake: the shape of `logits_fake`, gradient of the loss with respect to it.

    Raises:
        ValueError: no scores, or scores that are no real numbers.

    >>> loss, dreal, dfake = gan_discriminator_loss(np.array([0.0, np.log(3.0)]), np.array([-np.log(4.0)]))
    >>> round(float(loss), 6)  # (log 2 + log 4/3) / 2 + log 5/4
    0.713558
    >>> dreal, dfake.round(6)  # the probabilities of "real" are 1/2, 3/4 and 1/5
    (array([-0.25 , -0.125]), array([0.2]))
    """
    _check(logits_real=logits_real, logits_fake=logits_fake)
    real, miss = _softplus_and_sigmoid(-logits_real)
    fake, fooled = _softplus_and_sigmoid(logits_fake)
    return real.mean() + fake.mean(), -miss / miss.size, fooled / fooled.size


def gan_generator_loss(logits_fake: np.ndarray) -> tuple[float, np.ndarray]:
    r"""The loss of the generator that everybody uses: minus the mean log-probability that its fakes are real.

    Its gradient does not vanish when the discriminator sees through every fake ("non-saturating").

    Derivation: [GAN losses](../losses/gan.md)

    Source: Goodfellow et al. (2014), section 3; Goodfellow, NIPS 2016 tutorial, section 3.2.3.

    Args:
        logits_fake: any shape, the scores that the discriminator gives to generated data.

    Returns:
        loss: a number, the mean over all scores.
        dlogits_fake: the shape of `logits_fake`, gradient of the loss with respect to it.

    Raises:
        ValueError: no scores, or scores that are no real numbers.

    >>> loss, dfake = gan_generator_loss(np.array([0.0, -np.log(3.0)]))
    >>> round(float(loss), 6)  # (log 2 + log 4) / 2
    1.039721
    >>> dfake
    array([-0.25 , -0.375])
    """
    _check(logits_fake=logits_fake)
    loss, caught = _softplus_and_sigmoid(-logits_fake)
    return loss.mean(), -caught / caught.size


def gan_minimax_generator_loss(logits_fake: np.ndarray) -> tuple[float, np.ndarray]:
    r"""The loss of the generator in the minimax game: the mean log-probability that its fakes are fake.

    For comparison: where the discriminator is sure of a fake, the gradient of this loss is almost 0.

    Derivation: [GAN losses](../losses/gan.md)

    Source: Goodfellow et al. (2014), equation (1).

    Args:
        logits_fake: any shape, the scores that the discriminator gives to generated data.

    Returns:
        loss: a number, the mean over all scores; never positive.
        dlogits_fake: the shape of `logits_fake`, gradient of the loss with respect to it.

    Raises:
        ValueError: no scores, or scores that are no real numbers.

    >>> loss, dfake = gan_minimax_generator_loss(np.array([0.0, -np.log(3.0)]))
    >>> round(float(loss), 6)  # −(log 2 + log 4/3) / 2
    -0.490415
    >>> dfake
    array([-0.25 , -0.125])
    """
    _check(logits_fake=logits_fake)
    loss, fooled = _softplus_and_sigmoid(logits_fake)
    return -loss.mean(), -fooled / fooled.size


def ls_discriminator_loss(scores_real: np.ndarray, scores_fake: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
    r"""Least squares: real data should score 1, fakes 0. The scores are used as they are, without a sigmoid.

    Derivation: [GAN losses](../losses/gan.md)

    Source: Mao et al., Least squares generative adversarial networks, ICCV 2017, equation (2) with a = 0 and b = 1.

    Args:
        scores_real: any shape, the scores of real data.
        scores_fake: any shape, the scores of generated data.

    Returns:
        loss: a number.
        dscores_real: the shape of `scores_real`, gradient of the loss with respect to it.
        dscores_fake: the shape of `scores_fake`, gradient of the loss with respect to it.

    Raises:
        ValueError: no scores, or scores that are no real numbers.

    >>> ls_discriminator_loss(np.array([0.5, 1.5]), np.array([0.25]))
    (np.float64(0.15625), array([-0.25,  0.25]), array([0.25]))
    """
    _check(scores_real=scores_real, scores_fake=scores_fake)
    short = scores_real - 1
    loss = ((short**2).mean() + (scores_fake**2).mean()) / 2
    return loss, short / short.size, scores_fake / scores_fake.size


def ls_generator_loss(scores_fake: np.ndarray) -> tuple[float, np.ndarray]:
    r"""Least squares: the generator wants its fakes to score 1.

    Derivation: [GAN losses](../losses/gan.md)

    Source: Mao et al. (2017), equation (2) with c = 1.

    Args:
        scores_fake: any shape, the scores that the discriminator gives to generated data.

    Returns:
        loss: a number, half the mean square of what is missing.
        dscores_fake: the shape of `scores_fake`, gradient of the loss with respect to it.

    Raises:
        ValueError: no scores, or scores that are no real numbers.

    >>> ls_generator_loss(np.array([0.5, -1.0]))
    (np.float64(1.0625), array([-0.25, -1.  ]))
    """
    _check(scores_fake=scores_fake)
    short = scores_fake - 1
    return (short**2).mean() / 2, short / short.size
