"""What the official notebooks of 2018 to 2026 import of the course's PyTorch modules is here, with the same arguments.

As `test_names_and_signatures`, for the modules that need PyTorch. They are imported inside of the tests only.
"""

from __future__ import annotations

import importlib
import inspect
from importlib.util import find_spec
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from cs231n.coco_utils import decode_captions

#: Module, then name and parameters of the newest starter code that has it. A name alone: nothing is said of it.
STARTER: dict[str, list[str]] = {
    "captioning_solver_pytorch": ["CaptioningSolverPytorch(model, data)"],
    "captioning_solver_transformer": ["CaptioningSolverTransformer(model, data, idx_to_word)"],
    "classifiers.rnn_pytorch": [
        "CaptioningRNN(word_to_idx, input_dim=512, wordvec_dim=128, hidden_dim=128, cell_type='rnn', "
        "dtype=torch.float32)",
    ],
    "classifiers.transformer": [
        "CaptioningTransformer(word_to_idx, input_dim, wordvec_dim, num_heads=4, num_layers=2, max_length=50)",
    ],
    "gan_pytorch": [
        "ChunkSampler(num_samples, start=0)",
        "Flatten()",
        "Unflatten(N=-1, C=128, H=7, W=7)",
        "bce_loss(input, target)",
        "build_dc_classifier(batch_size)",
        "build_dc_generator(noise_dim=96)",
        "count_params(model)",
        "deprocess_img(x)",
        "discriminator(seed=None)",
        "discriminator_loss(logits_real, logits_fake)",
        "generator(noise_dim=96, seed=None)",
        "generator_loss(logits_fake)",
        "get_optimizer(model)",
        "initialize_weights(m)",
        "ls_discriminator_loss(scores_real, scores_fake)",
        "ls_generator_loss(scores_fake)",
        "preprocess_img(x)",
        "rel_error(x, y)",
        "run_a_gan(D, G, D_solver, G_solver, discriminator_loss, generator_loss, loader_train, show_every=250, "
        "batch_size=128, noise_size=96, num_epochs=10)",
        "sample_noise(batch_size, dim, seed=None)",
    ],
    "rnn_layers_pytorch": [
        "rnn_forward(x, h0, Wx, Wh, b)",
        "rnn_step_forward(x, prev_h, Wx, Wh, b)",
        "temporal_affine_forward(x, w, b)",
        "temporal_softmax_loss(x, y, mask, verbose=False)",
        "word_embedding_forward(x, W)",
    ],
    "net_visualization_pytorch": [
        "blur_image(X, sigma=1)",
        "class_visualization_update_step(img, model, target_y, l2_reg, learning_rate)",
        "compute_saliency_maps(X, y, model)",
        "deprocess(img, should_rescale=True)",
        "jitter(X, ox, oy)",
        "make_fooling_image(X, target_y, model)",
        "preprocess(img, size=224)",
        "rescale(x)",
    ],
    "simclr.contrastive_loss": [
        "compute_sim_matrix(out)",
        "rel_error(x, y)",
        "sim(z_i, z_j)",
        "sim_positive_pairs(out_left, out_right)",
        "simclr_loss_naive(out_left, out_right, tau)",
        "simclr_loss_vectorized(out_left, out_right, tau, device='cuda')",
    ],
    "simclr.data_utils": [
        "compute_test_transform()",
        "compute_train_transform(seed=123456)",
    ],
    "simclr.model": ["Model(feature_dim=128)"],
    "style_transfer_pytorch": [
        "content_loss(content_weight, content_current, content_original)",
        "deprocess(img)",
        "extract_features(x, cnn)",
        "features_from_img(imgpath, imgsize, cnn)",
        "gram_matrix(features, normalize=True)",
        "preprocess(img, size=512)",
        "rel_error(x, y)",
        "rescale(x)",
        "style_loss(feats, style_layers, style_targets, style_weights)",
        "tv_loss(img, tv_weight)",
    ],
    "simclr.utils": [
        "test(model, memory_data_loader, test_data_loader, epoch, epochs, c, temperature=0.5, k=200, device='cuda')",
        "train(model, data_loader, train_optimizer, epoch, epochs, batch_size=32, temperature=0.5, device='cuda')",
        "train_val(model, data_loader, train_optimizer, epoch, epochs, device='cuda')",
    ],
    "transformer_layers": [
        "MultiHeadAttention(embed_dim, num_heads, dropout=0.1)",
        "PositionalEncoding(embed_dim, dropout=0.1, max_len=5000)",
    ],
}

#: How many arguments some notebook passes by position, and which by keyword.
CALLS: dict[str, list[tuple[int, str]]] = {
    "captioning_solver_pytorch.CaptioningSolverPytorch": [
        (2, "num_epochs batch_size learning_rate verbose print_every")
    ],
    "classifiers.rnn_pytorch.CaptioningRNN": [
        (1, "input_dim wordvec_dim hidden_dim cell_type dtype"),
        (0, "word_to_idx input_dim wordvec_dim hidden_dim cell_type dtype"),
    ],
    "captioning_solver_transformer.CaptioningSolverTransformer": [
        (2, "idx_to_word num_epochs batch_size learning_rate verbose print_every")
    ],
    "classifiers.transformer.CaptioningTransformer": [
        (1, "input_dim wordvec_dim num_heads num_layers max_length"),
        (0, "word_to_idx input_dim wordvec_dim num_heads num_layers max_length"),
    ],
    "transformer_layers.MultiHeadAttention": [(1, "num_heads"), (2, "")],
    "transformer_layers.PositionalEncoding": [(1, "")],
    "gan_pytorch.build_dc_generator": [(1, ""), (0, "")],
    "gan_pytorch.generator": [(1, ""), (0, "")],
    "gan_pytorch.run_a_gan": [(7, "num_epochs")],
    "rnn_layers_pytorch.temporal_softmax_loss": [(3, "verbose")],
    "net_visualization_pytorch.blur_image": [(1, "sigma")],
    "net_visualization_pytorch.deprocess": [(1, ""), (1, "should_rescale")],
    "simclr.contrastive_loss.simclr_loss_vectorized": [(4, ""), (3, "device")],
    "simclr.data_utils.compute_train_transform": [(0, "seed")],
    "style_transfer_pytorch.preprocess": [(1, "size")],
    "simclr.utils.test": [(6, "k temperature device")],
    "simclr.utils.train": [(5, "batch_size temperature device")],
    "simclr.utils.train_val": [(5, "device")],
}

#: Names that a notebook has only because of a star import.
STARS: dict[str, str] = {
    "rnn_layers_pytorch": (
        "affine_forward lstm_forward lstm_step_forward rnn_forward rnn_step_forward temporal_affine_forward "
        "temporal_softmax_loss word_embedding_forward"
    ),
    "net_visualization_pytorch": (
        "blur_image class_visualization_update_step compute_saliency_maps deprocess jitter "
        "make_fooling_image preprocess"
    ),
    "simclr.contrastive_loss": (
        "compute_sim_matrix rel_error sim sim_positive_pairs simclr_loss_naive simclr_loss_vectorized"
    ),
    "simclr.model": "Model",
    "simclr.utils": "test train train_val",
    "transformer_layers": "MultiHeadAttention PositionalEncoding",
}

#: The same, where the star itself needs torchvision.
TORCHVISION_STARS = {"simclr.data_utils": "CIFAR10Pair compute_test_transform compute_train_transform"}

NAMES = {f"{module}.{line.partition('(')[0]}": line for module, lines in STARTER.items() for line in lines}

pytestmark = pytest.mark.torch


def module_of(name: str) -> ModuleType:
    return importlib.import_module(f"cs231n.{name}")


def found(name: str) -> Any:
    module, _, attribute = name.rpartition(".")
    return getattr(module_of(module), attribute)


@pytest.mark.parametrize("name", NAMES)
def test_a_signature_begins_as_that_of_the_starter_code(name: str) -> None:
    starter: dict[str, Any] = {"torch": importlib.import_module("torch")}
    line = NAMES[name]
    exec(f"def {line}: ...", starter)
    expected = list(inspect.signature(starter[line.partition("(")[0]]).parameters.values())
    thing = found(name)
    ours = list(inspect.signature(thing.__init__ if isinstance(thing, type) else thing).parameters.values())
    if isinstance(thing, type):
        ours = [p for p in ours[1:] if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
    assert [p.name for p in ours[: len(expected)]] == [p.name for p in expected]
    for our, their in zip(ours, expected, strict=False):
        assert our.kind is our.POSITIONAL_OR_KEYWORD, our
        assert our.default == their.default, f"{our} and not {their}"
    for extra in ours[len(expected) :]:
        assert extra.default is not extra.empty, f"{extra} must be optional"


@pytest.mark.parametrize("name", CALLS)
def test_the_arguments_of_the_notebooks_are_taken(name: str) -> None:
    for positional, keywords in CALLS[name]:
        inspect.signature(found(name)).bind(*range(positional), **dict.fromkeys(keywords.split()))


@pytest.mark.parametrize("module", STARS)
def test_a_star_import_brings_what_notebooks_expect_and_hides_nothing(module: str) -> None:
    notebook: dict[str, Any] = {}
    exec(f"from cs231n.{module} import *", notebook)
    for name in STARS[module].split():
        assert callable(notebook.get(name)), name
    assert not {"plt", "time", "data", "np", "device", "dtype"} & set(notebook)


@pytest.mark.parametrize("module", TORCHVISION_STARS)
def test_a_star_import_says_what_to_install(module: str) -> None:
    notebook: dict[str, Any] = {}
    if find_spec("torchvision"):
        exec(f"from cs231n.{module} import *", notebook)
        assert set(TORCHVISION_STARS[module].split()) <= set(notebook)
    else:
        with pytest.raises(ImportError, match=r"pip install -e '\.\[vision\]'"):
            exec(f"from cs231n.{module} import *", notebook)


# ------------------------------------------------------------------------------------------------ instances


@pytest.mark.parametrize("cell_type", ["rnn", "lstm"])
def test_the_captioning_network_and_its_solver_are_called_as_the_notebooks_call_them(cell_type: str) -> None:
    torch = importlib.import_module("torch")
    words = ["<NULL>", "<START>", "<END>", "cat", "dog"]
    captions, features = np.array([[1, 3, 2, 0], [1, 4, 4, 2]]), np.linspace(-1, 1, 12).reshape(2, 6)
    data = {"train_captions": captions, "train_image_idxs": np.array([0, 1]), "train_features": features}
    model = found("classifiers.rnn_pytorch.CaptioningRNN")(
        cell_type=cell_type,
        word_to_idx={word: number for number, word in enumerate(words)},
        input_dim=6,
        hidden_dim=8,
        wordvec_dim=5,
    )
    solver = found("captioning_solver_pytorch.CaptioningSolverPytorch")(
        model, data, num_epochs=2, batch_size=25, learning_rate=5e-3, verbose=False, print_every=10
    )
    solver.train()
    assert len(solver.loss_history) == 2
    sampled = model.sample(torch.tensor(features))
    assert len(decode_captions(np.asarray(sampled), words)) == 2
    model.params["b_vocab"] = torch.zeros(5)  # the notebook fills them one by one
    assert model.loss(torch.tensor(features), torch.tensor(captions)).isfinite()


def test_the_star_of_the_transformer_layers_brings_torch() -> None:
    notebook: dict[str, Any] = {}
    exec("from cs231n.transformer_layers import *", notebook)
    assert notebook["torch"] is importlib.import_module("torch")


def test_the_encoder_is_saved_and_loaded_as_a_module_is() -> None:
    """Made in `tests/test_simclr.py`, with `f`, the part that the notebook takes; torchvision is not needed here."""
    torch = importlib.import_module("torch")
    model = found("simclr.model.Model")
    assert issubclass(model, torch.nn.Module)
    for name in ("load_state_dict", "parameters", "state_dict", "to"):
        assert getattr(model, name) is getattr(torch.nn.Module, name)
