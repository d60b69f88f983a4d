"""The layers of recurrent captioning under the name that they have in the course."""

import numpy as np

from cs231n.layers.embedding import word_embedding_backward, word_embedding_forward
from cs231n.layers.lstm import lstm_backward, lstm_forward, lstm_step_backward, lstm_step_forward
from cs231n.layers.rnn import rnn_backward, rnn_forward, rnn_step_backward, rnn_step_forward
from cs231n.layers.temporal import temporal_affine_backward, temporal_affine_forward
from cs231n.losses.temporal_softmax import temporal_softmax_loss

__all__ = [
    "lstm_backward",
    "lstm_forward",
    "lstm_step_backward",
    "lstm_step_forward",
    "np",  # notebooks find it here
    "rnn_backward",
    "rnn_forward",
    "rnn_step_backward",
    "rnn_step_forward",
    "temporal_affine_backward",
    "temporal_affine_forward",
    "temporal_softmax_loss",
    "word_embedding_backward",
    "word_embedding_forward",
]
