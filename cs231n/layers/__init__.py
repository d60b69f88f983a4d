"""The layers, one module a concept. As in the course, `from cs231n.layers import *` brings the losses too."""

from cs231n.layers.activations import (
    elu_backward,
    elu_forward,
    gelu_backward,
    gelu_forward,
    gelu_tanh_backward,
    gelu_tanh_forward,
    leaky_relu_backward,
    leaky_relu_forward,
    sigmoid_backward,
    sigmoid_forward,
    silu_backward,
    silu_forward,
    softplus_backward,
    softplus_forward,
    tanh_backward,
    tanh_forward,
)
from cs231n.layers.affine import affine_backward, affine_forward
from cs231n.layers.batchnorm import batchnorm_backward, batchnorm_backward_alt, batchnorm_forward
from cs231n.layers.conv import conv_backward_naive, conv_forward_naive
from cs231n.layers.dropout import dropout_backward, dropout_forward
from cs231n.layers.embedding import word_embedding_backward, word_embedding_forward
from cs231n.layers.grn import grn_backward, grn_forward
from cs231n.layers.groupnorm import (
    groupnorm_backward,
    groupnorm_forward,
    spatial_groupnorm_backward,
    spatial_groupnorm_forward,
)
from cs231n.layers.gru import gru_backward, gru_forward, gru_step_backward, gru_step_forward
from cs231n.layers.layernorm import layernorm_backward, layernorm_forward
from cs231n.layers.lstm import lstm_backward, lstm_forward, lstm_step_backward, lstm_step_forward
from cs231n.layers.pooling import (
    avg_pool_backward_naive,
    avg_pool_forward_naive,
    max_pool_backward_naive,
    max_pool_forward_naive,
)
from cs231n.layers.positional_encoding import (
    positional_encoding_backward,
    positional_encoding_forward,
    positional_encoding_table,
)
from cs231n.layers.relu import relu_backward, relu_forward
from cs231n.layers.rmsnorm import rmsnorm_backward, rmsnorm_forward
from cs231n.layers.rnn import rnn_backward, rnn_forward, rnn_step_backward, rnn_step_forward
from cs231n.layers.spatial_batchnorm import spatial_batchnorm_backward, spatial_batchnorm_forward
from cs231n.layers.temporal import temporal_affine_backward, temporal_affine_forward
from cs231n.layers.transformer import (
    feed_forward_backward,
    feed_forward_forward,
    swiglu_backward,
    swiglu_forward,
    transformer_decoder_layer_backward,
    transformer_decoder_layer_forward,
)
from cs231n.losses.softmax import softmax_loss
from cs231n.losses.svm import svm_loss

__all__ = [
    "affine_backward",
    "affine_forward",
    "avg_pool_backward_naive",
    "avg_pool_forward_naive",
    "batchnorm_backward",
    "batchnorm_backward_alt",
    "batchnorm_forward",
    "conv_backward_naive",
    "conv_forward_naive",
    "dropout_backward",
    "dropout_forward",
    "elu_backward",
    "elu_forward",
    "feed_forward_backward",
    "feed_forward_forward",
    "gelu_backward",
    "gelu_forward",
    "gelu_tanh_backward",
    "gelu_tanh_forward",
    "grn_backward",
    "grn_forward",
    "groupnorm_backward",
    "groupnorm_forward",
    "gru_backward",
    "gru_forward",
    "gru_step_backward",
    "gru_step_forward",
    "layernorm_backward",
    "layernorm_forward",
    "leaky_relu_backward",
    "leaky_relu_forward",
    "lstm_backward",
    "lstm_forward",
    "lstm_step_backward",
    "lstm_step_forward",
    "max_pool_backward_naive",
    "max_pool_forward_naive",
    "positional_encoding_backward",
    "positional_encoding_forward",
    "positional_encoding_table",
    "relu_backward",
    "relu_forward",
    "rmsnorm_backward",
    "rmsnorm_forward",
    "rnn_backward",
    "rnn_forward",
    "rnn_step_backward",
    "rnn_step_forward",
    "sigmoid_backward",
    "sigmoid_forward",
    "silu_backward",
    "silu_forward",
    "softmax_loss",
    "softplus_backward",
    "softplus_forward",
    "spatial_batchnorm_backward",
    "spatial_batchnorm_forward",
    "spatial_groupnorm_backward",
    "spatial_groupnorm_forward",
    "svm_loss",
    "swiglu_backward",
    "swiglu_forward",
    "tanh_backward",
    "tanh_forward",
    "temporal_affine_backward",
    "temporal_affine_forward",
    "transformer_decoder_layer_backward",
    "transformer_decoder_layer_forward",
    "word_embedding_backward",
    "word_embedding_forward",
]
