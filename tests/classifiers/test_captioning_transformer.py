import numpy as np
import pytest

from cs231n.captioning_solver import CaptioningSolver
from cs231n.classifiers.captioning_transformer import CaptioningTransformer
from cs231n.gradient_check import eval_numerical_gradient

WORDS = {"<NULL>": 0, "<START>": 1, "<END>": 2, "cat": 3, "dog": 4}
D, W, F, V = 2, 4, 3, len(WORDS)


def model(seed=0, **settings):
    sizes = {"num_heads": 2, "num_layers": 2, "hidden_dim": F, "dtype": np.float64}
    net = CaptioningTransformer(WORDS, D, W, **sizes | settings, rng=seed)
    rng = np.random.default_rng(seed)
    for w in net.params.values():
        w += (0.3 * rng.normal(size=w.shape)).astype(w.dtype)
    return net


def draw(N=3):
    captions = np.array([[1, 3, 3, 2, 0], [1, 4, 2, 0, 0], [1, 3, 4, 4, 2]])
    return np.random.default_rng(1).normal(size=(N, D)), np.resize(captions, (N, 5))


def test_all_gradients_agree_with_differences():
    net, (features, captions) = model(), draw(2)
    _, grads = net.loss(features, captions)
    assert set(grads) == set(net.params)
    for name, w in net.params.items():
        numeric = eval_numerical_gradient(lambda _: net.loss(features, captions)[0], w, verbose=False)
        np.testing.assert_allclose(grads[name], numeric, rtol=1e-5, atol=1e-8, err_msg=name)


def test_every_parameter_learns_but_those_that_cannot():
    """A memory of one token is no choice; a bias of keys never counts; nothing is read after END."""
    net, (features, captions) = model(), draw()
    _, grads = net.loss(features, captions)
    silent = {name for name, gradient in grads.items() if abs(gradient).max() < 1e-13}
    assert silent == {f"layer{i}_cross_{n}" for i in range(2) for n in ("wq", "bq", "wk", "bk")} | {
        f"layer{i}_self_bk" for i in range(2)
    }
    assert not grads["W_embed"][[0, 2]].any()


def test_more_padding_changes_neither_loss_nor_gradients():
    net, (features, captions) = model(), draw()
    loss, grads = net.loss(features, captions)
    longer, dlonger = net.loss(features, np.pad(captions, ((0, 0), (0, 4))))
    np.testing.assert_allclose(longer, loss)
    for name, grad in grads.items():
        np.testing.assert_allclose(dlonger[name], grad, rtol=1e-9, atol=1e-13)


def test_the_loss_is_a_mean_over_captions():
    net, (features, captions) = model(), draw()
    each = [net.loss(features[i : i + 1], captions[i : i + 1])[0] for i in range(3)]
    np.testing.assert_allclose(net.loss(features, captions)[0], np.mean(each))


def test_a_sample_is_what_the_scores_of_the_whole_sentence_say():
    """If each written word has the best score, the caption has a smaller loss than with any other word at one place."""
    net, (features, _) = model(seed=5), draw(4)
    written = net.sample(features, max_length=5)
    for i, caption in enumerate(written):
        length = min(5, (caption != 0).sum())
        for t in range(length):
            so_far = np.concatenate([[1], caption[:t]])
            losses = [
                net.loss(features[i : i + 1], np.append(so_far, word)[None])[0] for word in range(1, V)
            ]  # <NULL> does not count
            without = net.loss(features[i : i + 1], so_far[None])[0] if t else 0.0
            p = np.exp(without - np.array(losses))
            assert p.argmax() + 1 == caption[t] or caption[t] == 0


@pytest.mark.parametrize("max_length", [0, 1, 70])
def test_captions_of_any_length_are_written(max_length):
    """Wishes no. 33: the course's model raised above 50 words."""
    net, (features, captions) = model(), draw()
    net.params["b_vocab"][:] = [0, 0, -99, 0, 99]
    out = net.sample(features, max_length)
    assert out.shape == (3, max_length) and (out == 4).all()
    net.loss(features, np.pad(captions, ((0, 0), (0, max_length))))


def test_after_the_end_there_is_only_padding():
    net, (features, _) = model(), draw()
    net.params["b_vocab"][:] = [0, 0, 99, 0, 0]
    np.testing.assert_array_equal(net.sample(features, 3), [[2, 0, 0]] * 3)


def test_a_seed_decides_the_weights():
    one, other = (CaptioningTransformer(WORDS, D, W, rng=3) for _ in range(2))
    for name, array in one.params.items():
        np.testing.assert_array_equal(array, other.params[name])


def test_float32_stays_and_float64_features_follow():
    net, (features, captions) = model(dtype=np.float32), draw()
    _, grads = net.loss(features, captions)
    assert {g.dtype for g in grads.values()} == {np.dtype(np.float32)}


def test_a_file_keeps_the_parameters(tmp_path):
    net, (features, captions) = model(), draw()
    net.save(tmp_path / "net.weights")
    other = model(seed=9)
    other.load(tmp_path / "net.weights")
    assert other.loss(features, captions)[0] == net.loss(features, captions)[0]
    with pytest.raises(ValueError, match=r"net\.weights: expected parameters of the shapes"):
        model(num_layers=1).load(tmp_path / "net.weights")
    with pytest.raises(FileNotFoundError):
        net.load(tmp_path / "nothing")


def test_a_few_captions_are_learnt_by_heart():
    features, captions = draw()
    data = {"train_features": features, "train_captions": captions, "train_image_idxs": np.arange(3)}
    net = CaptioningTransformer(WORDS, D, 16, num_heads=2, num_layers=1, hidden_dim=16, rng=0)
    solver = CaptioningSolver(
        net, data, update_rule="adam", optim_config={"learning_rate": 1e-2}, num_epochs=200, verbose=False, rng=0
    )
    solver.train()
    assert net.loss(features, captions)[0] < 0.1  # a batch is drawn with replacement and may lack a caption
    np.testing.assert_array_equal(net.sample(features, 4), captions[:, 1:])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"word_to_idx": {"cat": 0}}, "expected <NULL> among the words"),
        ({"num_heads": 3}, "expected num_heads that divides wordvec_dim, got 3 and 4"),
        ({"num_layers": 0}, "expected num_layers >= 1, got 0"),
        ({"dtype": int}, "expected a floating-point dtype, got int64"),
    ],
)
def test_wrong_settings_are_named(settings, message):
    with pytest.raises(ValueError, match=message):
        CaptioningTransformer(**{"word_to_idx": WORDS, "input_dim": D, "wordvec_dim": W} | settings)


def test_wrong_input_is_named():
    net, (features, captions) = model(), draw()
    with pytest.raises(ValueError, match=r"expected captions of shape \(N, T \+ 1\) with T >= 1, got \(3, 1\)"):
        net.loss(features, captions[:, :1])
    with pytest.raises(ValueError, match="expected a caption for each image, got 2 and 3"):
        net.loss(features[:2], captions)
    with pytest.raises(ValueError, match="expected max_length >= 0, got -1"):
        net.sample(features, -1)
    silent = CaptioningTransformer({"<NULL>": 0, "cat": 1}, D, W)
    with pytest.raises(ValueError, match="expected <START> among the words"):
        silent.sample(features)
