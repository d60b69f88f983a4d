"""Losses: each function returns the loss and its gradient with respect to the scores."""

from cs231n.losses.binary_cross_entropy import bce_loss, bce_with_logits_loss
from cs231n.losses.contrastive import nt_xent_loss, simclr_loss
from cs231n.losses.gan import (
    gan_discriminator_loss,
    gan_generator_loss,
    gan_minimax_generator_loss,
    ls_discriminator_loss,
    ls_generator_loss,
)
from cs231n.losses.kl_divergence import kl_div_loss
from cs231n.losses.mean_squared_error import mse_loss
from cs231n.losses.softmax import softmax_cross_entropy, softmax_loss
from cs231n.losses.svm import svm_loss
from cs231n.losses.temporal_softmax import temporal_softmax_loss

__all__ = [
    "bce_loss",
    "bce_with_logits_loss",
    "gan_discriminator_loss",
    "gan_generator_loss",
    "gan_minimax_generator_loss",
    "kl_div_loss",
    "ls_discriminator_loss",
    "ls_generator_loss",
    "mse_loss",
    "nt_xent_loss",
    "simclr_loss",
    "softmax_cross_entropy",
    "softmax_loss",
    "svm_loss",
    "temporal_softmax_loss",
]
