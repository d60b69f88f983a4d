r"""Layers, losses and update rules once more, faster: the same numbers up to rounding, in pure NumPy.

The plain functions, in `cs231n.layers`, `cs231n.losses` and `cs231n.optim`, are the formulas of the pages, line for
line. Here the same sums are put into the order that a machine likes. What this gains, and why, says the page
[Speed](../reference/speed.md).

A function `…_fast` takes what the plain one takes, and the backward belongs to the forward of the same name. Small
arrays, other types than float32 and float64, and arguments that do not fit go to the plain function.
"""

from cs231n.fast_layers.conv import ConvFastCache as ConvFastCache
from cs231n.fast_layers.conv import conv_backward_fast, conv_forward_fast
from cs231n.fast_layers.embedding import word_embedding_backward_fast
from cs231n.fast_layers.losses import softmax_loss_fast, svm_loss_fast, temporal_softmax_loss_fast
from cs231n.fast_layers.norms import NormFastCache as NormFastCache
from cs231n.fast_layers.norms import (
    batchnorm_backward_fast,
    batchnorm_forward_fast,
    layernorm_backward_fast,
    layernorm_forward_fast,
    spatial_batchnorm_backward_fast,
    spatial_batchnorm_forward_fast,
    spatial_groupnorm_backward_fast,
    spatial_groupnorm_forward_fast,
)
from cs231n.fast_layers.pointwise import (
    dropout_backward_fast,
    dropout_forward_fast,
    relu_backward_fast,
    relu_forward_fast,
)
from cs231n.fast_layers.pooling import MaxPoolFastCache as MaxPoolFastCache
from cs231n.fast_layers.pooling import max_pool_backward_fast, max_pool_forward_fast
from cs231n.fast_layers.rules import adam_fast, rmsprop_fast, sgd_momentum_fast

__all__ = [
    "adam_fast",
    "batchnorm_backward_fast",
    "batchnorm_forward_fast",
    "conv_backward_fast",
    "conv_forward_fast",
    "dropout_backward_fast",
    "dropout_forward_fast",
    "layernorm_backward_fast",
    "layernorm_forward_fast",
    "max_pool_backward_fast",
    "max_pool_forward_fast",
    "relu_backward_fast",
    "relu_forward_fast",
    "rmsprop_fast",
    "sgd_momentum_fast",
    "softmax_loss_fast",
    "spatial_batchnorm_backward_fast",
    "spatial_batchnorm_forward_fast",
    "spatial_groupnorm_backward_fast",
    "spatial_groupnorm_forward_fast",
    "svm_loss_fast",
    "temporal_softmax_loss_fast",
    "word_embedding_backward_fast",
]
