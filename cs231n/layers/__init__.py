"""The layers, one module a concept. As in the course, `from cs231n.layers import *` brings the losses too."""

from cs231n.layers.affine import affine_backward, affine_forward
from cs231n.layers.batchnorm import batchnorm_backward, batchnorm_backward_alt, batchnorm_forward
from cs231n.layers.dropout import dropout_backward, dropout_forward
from cs231n.layers.grn import grn_backward, grn_forward
from cs231n.layers.layernorm import layernorm_backward, layernorm_forward
from cs231n.layers.relu import relu_backward, relu_forward
from cs231n.layers.rmsnorm import rmsnorm_backward, rmsnorm_forward
from cs231n.losses.softmax import softmax_loss
from cs231n.losses.svm import svm_loss

__all__ = [
    "affine_backward",
    "affine_forward",
    "batchnorm_backward",
    "batchnorm_backward_alt",
    "batchnorm_forward",
    "dropout_backward",
    "dropout_forward",
    "grn_backward",
    "grn_forward",
    "layernorm_backward",
    "layernorm_forward",
    "relu_backward",
    "relu_forward",
    "rmsnorm_backward",
    "rmsnorm_forward",
    "softmax_loss",
    "svm_loss",
]
