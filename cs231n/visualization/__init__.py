"""What a network sees: gradients with respect to the *input*, the weights being fixed."""

from cs231n.visualization._network import scores_and_backward
from cs231n.visualization.class_visualization import blur, class_visualization_step, jitter
from cs231n.visualization.fooling import make_fooling_image, normalized_step
from cs231n.visualization.saliency import compute_saliency_maps, right_scores, saliency_maps
from cs231n.visualization.style_transfer import content_loss, gram_matrix, gram_matrix_backward, style_loss, tv_loss

__all__ = [
    "blur",
    "class_visualization_step",
    "compute_saliency_maps",
    "content_loss",
    "gram_matrix",
    "gram_matrix_backward",
    "jitter",
    "make_fooling_image",
    "normalized_step",
    "right_scores",
    "saliency_maps",
    "scores_and_backward",
    "style_loss",
    "tv_loss",
]
