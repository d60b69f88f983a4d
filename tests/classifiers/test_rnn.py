from itertools import pairwise

import numpy as np
import pytest

from cs231n.classifiers.rnn import CaptioningRNN
from cs231n.gradient_check import eval_numerical_gradient
from cs231n.losses import softmax_loss

WORDS = {"<NULL>": 0, "<START>": 1, "<END>": 2, "cat": 3, "dog": 4}
D, W, H, V = 4, 3, 6, len(WORDS)
CELLS = ("rnn", "lstm")


def model(cell="rnn", seed=0, **settings):
    net = CaptioningRNN(WORDS, D, W, H, cell, **{"dtype": np.float64, "rng": seed} | settings)
    rng = np.random.default_rng(seed)
    for w in net.params.values():
        w += (0.4 * rng.normal(size=w.shape)).astype(w.dtype)
    return net


def draw(N=2):
    features = np.random.default_rng(1).normal(size=(N, D))
    captions = np.array([[1, 3, 3, 2, 0], [1, 4, 2, 0, 0], [1, 3, 4, 4, 2]])
    return features, np.resize(captions, (N, 5))


@pytest.mark.parametrize("cell", CELLS)
def test_all_gradients_agree_with_differences(cell):
    net, (features, captions) = model(cell), draw()
    _, grads = net.loss(features, captions)
    assert set(grads) == set(net.params)
    for name, w in net.params.items():
        numeric = eval_numerical_gradient(lambda _: net.loss(features, captions)[0], w, verbose=False)
        assert abs(numeric).max() > 1e-3
        np.testing.assert_allclose(grads[name], numeric, rtol=1e-6, atol=1e-8, err_msg=name)


@pytest.mark.parametrize(
    ("cell", "low", "high", "expected"), [("rnn", -1.5, 0.3, 9.83235591003), ("lstm", -0.5, 1.7, 9.82445935443)]
)
def test_the_numbers_of_the_notebooks(cell, low, high, expected):
    words = {"<NULL>": 0, "cat": 2, "dog": 3}  # three words, and no 1
    net = CaptioningRNN(words, input_dim=20, wordvec_dim=30, hidden_dim=40, cell_type=cell, dtype=np.float64)
    for name, w in net.params.items():
        net.params[name] = np.linspace(-1.4, 1.3, num=w.size).reshape(w.shape)
    features = np.linspace(low, high, num=200).reshape(10, 20)
    loss, _ = net.loss(features, (np.arange(130) % 3).reshape(10, 13))
    np.testing.assert_allclose(loss, expected, rtol=1e-11)


@pytest.mark.parametrize("cell", CELLS)
def test_the_network_reads_all_words_but_the_last_and_says_all_but_the_first(cell):
    net, (features, captions) = model(cell), draw()
    p = net.params
    total = 0.0
    for feature, caption in zip(features, captions, strict=True):
        h, c = feature @ p["W_proj"] + p["b_proj"], np.zeros(H)
        for word, following in pairwise(caption):
            a = p["W_embed"][word] @ p["Wx"] + h @ p["Wh"] + p["b"]
            if cell == "rnn":
                h = np.tanh(a)
            else:
                i, f, o = 1 / (1 + np.exp(-a[: 3 * H].reshape(3, H)))
                c = f * c + i * np.tanh(a[3 * H :])
                h = o * np.tanh(c)
            if following != WORDS["<NULL>"]:
                total += softmax_loss((h @ p["W_vocab"] + p["b_vocab"])[None], np.array([following]))[0]
    np.testing.assert_allclose(net.loss(features, captions)[0], total / 2)


@pytest.mark.parametrize("cell", CELLS)
def test_more_padding_changes_neither_loss_nor_gradients(cell):
    net, (features, captions) = model(cell), draw()
    loss, grads = net.loss(features, captions)
    longer, dlonger = net.loss(features, np.pad(captions, ((0, 0), (0, 4))))
    np.testing.assert_allclose(longer, loss)
    for name, grad in grads.items():
        np.testing.assert_allclose(dlonger[name], grad, rtol=1e-10, atol=1e-14)
    assert not grads["W_embed"][0].any()  # padding is read, and nothing that it does counts


def test_a_batch_of_padding_only():
    net, (features, _) = model(), draw()
    loss, grads = net.loss(features, np.zeros((2, 4), int))
    assert loss == 0
    assert not any(grad.any() for grad in grads.values())


# ----------------------------------------------------------------------------------------------- writing


@pytest.mark.parametrize("cell", CELLS)
def test_a_caption_begins_behind_start_and_has_all_words_asked_for(cell):
    # the text this project came from began with NULL, left the first word empty, and wrote one word too few
    net, (features, _) = model(cell), draw()
    net.params["b_vocab"][WORDS["<END>"]] = -100  # never stop
    captions = net.sample(features, max_length=7)
    assert captions.shape == (2, 7) and captions.dtype.kind == "i"
    for n in range(2):
        words = [WORDS["<START>"]]
        for t in range(7):  # each word is the best one behind those before, as the loss sees it
            scores = [
                net.loss(features[n : n + 1], np.array([[*words, word]]))[0]
                - (net.loss(features[n : n + 1], np.array([[*words, 0]]))[0])
                for word in range(1, V)
            ]
            words.append(int(np.argmin(scores)) + 1)
            if captions[n, t] == 0:  # the loss leaves NULL out, so it cannot say that NULL is best
                words[-1] = 0
            assert captions[n, t] == words[-1]


def test_the_start_word_decides_and_not_the_padding():
    net, (features, _) = model(), draw()
    before = net.sample(features, 5)
    net.params["W_embed"][WORDS["<NULL>"]] = 0
    first = net.sample(features, 1)
    np.testing.assert_array_equal(first[:, 0], before[:, 0])
    net.params["W_embed"][WORDS["<START>"]] = 50
    assert (net.sample(features, 5) != before).any()


def test_nothing_but_padding_follows_the_end():
    net, (features, _) = model(), draw(N=3)
    net.params["b_vocab"][:] = [-100, -100, 100, 0, 0]
    np.testing.assert_array_equal(net.sample(features, max_length=4), [[2, 0, 0, 0]] * 3)
    assert net.sample(features, max_length=0).shape == (3, 0)


def test_thirty_words_by_default_and_no_end_is_needed():
    net = CaptioningRNN({"<NULL>": 0, "<START>": 1}, D, W, H, rng=0)
    assert net.sample(draw()[0]).shape == (2, 30)


@pytest.mark.parametrize("cell", CELLS)
def test_five_captions_are_learnt_by_heart(cell):
    from cs231n.optim import adam

    net = CaptioningRNN(WORDS, D, 8, 16, cell, rng=0)
    features = np.random.default_rng(3).normal(size=(5, D)).astype(np.float32)
    captions = np.array([[1, 3, 2, 0, 0], [1, 4, 2, 0, 0], [1, 3, 4, 2, 0], [1, 4, 4, 3, 2], [1, 3, 3, 3, 2]])
    configs = {name: {"learning_rate": 0.02} for name in net.params}
    for _ in range(150):
        loss, grads = net.loss(features, captions)
        for name, grad in grads.items():
            net.params[name], configs[name] = adam(net.params[name], grad, configs[name])
    assert loss < 0.05
    np.testing.assert_array_equal(net.sample(features, 4), captions[:, 1:])


# ------------------------------------------------------------------------------------------- parameters


def test_shapes_and_scales_are_those_of_the_course():
    net = CaptioningRNN({f"{n}": n for n in range(1, 999)} | {"<NULL>": 0}, 200, 150, 100, "lstm", rng=0)
    assert {name: w.shape for name, w in net.params.items()} == {
        "W_embed": (999, 150),
        "W_proj": (200, 100),
        "b_proj": (100,),
        "Wx": (150, 400),
        "Wh": (100, 400),
        "b": (400,),
        "W_vocab": (100, 999),
        "b_vocab": (999,),
    }
    for name, scale in {"W_embed": 0.01, "W_proj": 200**-0.5, "Wx": 150**-0.5, "Wh": 0.1, "W_vocab": 0.1}.items():
        np.testing.assert_allclose(net.params[name].std(), scale, rtol=0.03)
    assert not any(net.params[name].any() for name in ("b_proj", "b", "b_vocab"))
    assert {w.dtype for w in net.params.values()} == {np.dtype(np.float32)}


def test_an_untrained_network_finds_all_words_equally_likely():
    features, captions = draw()
    loss, _ = CaptioningRNN(WORDS, D, W, H, rng=0).loss(0 * features, captions)
    assert abs(loss - 2.5 * np.log(V)) < 0.1  # three words and two


@pytest.mark.parametrize("cell", CELLS)
def test_the_dtype_of_the_parameters_decides(cell):
    net, (features, captions) = model(cell, dtype=np.float32), draw()
    loss, grads = net.loss(features, captions)  # features in double precision
    assert {loss.dtype, *(grad.dtype for grad in grads.values())} == {np.dtype(np.float32)}


def test_a_seed_fixes_the_weights_and_the_global_state_stays():
    before = repr(np.random.get_state())  # noqa: NPY002
    first, again, other = (CaptioningRNN(WORDS, D, W, H, rng=seed).params["Wh"] for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()
    assert repr(np.random.get_state()) == before  # noqa: NPY002


def test_nothing_is_changed_and_layout_does_not_matter():
    net, (features, captions) = model(), draw()
    views = np.asfortranarray(features), np.repeat(captions, 2, axis=1)[:, ::2]
    for view in (*views, *net.params.values()):
        view.flags.writeable = False
    loss, grads = net.loss(*views)
    expected, dexpected = net.loss(features, captions)
    np.testing.assert_allclose(loss, expected, rtol=1e-12)
    for name, grad in grads.items():
        np.testing.assert_allclose(grad, dexpected[name], rtol=1e-10, atol=1e-15)
    net.sample(features)


@pytest.mark.parametrize("cell", CELLS)
def test_parameters_are_saved_without_pickle_and_come_back(cell, tmp_path):
    net, (features, captions) = model(cell), draw()
    net.save(tmp_path / "captions.npz")
    other = model(cell, seed=9)
    other.load(tmp_path / "captions.npz")
    assert other.loss(features, captions)[0] == net.loss(features, captions)[0]
    with np.load(tmp_path / "captions.npz", allow_pickle=False) as stored:
        assert sorted(stored.files) == sorted(net.params)
    wrong = model("lstm" if cell == "rnn" else "rnn", seed=9)
    before = wrong.params["Wx"].copy()
    with pytest.raises(ValueError, match=r"expected parameters of the shapes .*'Wx'"):
        wrong.load(tmp_path / "captions.npz")
    np.testing.assert_array_equal(wrong.params["Wx"], before)


# ----------------------------------------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"cell_type": "grue"}, "cell_type: expected one of rnn, lstm.*got 'grue'"),
        ({"word_to_idx": {"cat": 0}}, "expected <NULL> among the words"),
        ({"hidden_dim": 0}, "hidden_dim >= 1, got 0"),
        ({"dtype": int}, "floating-point dtype, got int64"),
    ],
)
def test_bad_settings_are_named(settings, message):
    with pytest.raises(ValueError, match=message):
        CaptioningRNN(**{"word_to_idx": WORDS} | settings)


@pytest.mark.parametrize(
    ("features", "captions", "message"),
    [
        (np.zeros((2, D)), np.ones((2, 1), int), r"captions of shape \(N, T \+ 1\) with T >= 1, got \(2, 1\)"),
        (np.zeros((2, D)), np.ones(4, int), r"got \(4,\)"),
        (np.zeros((2, D)), np.ones((3, 4), int), "a caption for each image, got 2 and 3"),
        (np.zeros((2, D)), np.full((2, 4), V), "words from 0 to 4, got words from 5 to 5"),
        (np.zeros((2, D)), np.full((2, 4), -1), "words from 0 to 4, got words from -1 to -1"),
        (np.zeros((2, D)), np.ones((2, 4)), "expected words as integers, got dtype float64"),
        (np.zeros((2, D + 1)), np.ones((2, 4), int), r"got x \(2, 5\) and w \(4, 6\)"),
        (np.zeros((2, D), int), np.ones((2, 4), int), "expected real floating-point numbers, got dtype int64"),
    ],
)
def test_bad_input_is_named(features, captions, message):
    with pytest.raises(ValueError, match=message):
        model().loss(features, captions)


def test_bad_requests_for_captions_are_named():
    net = CaptioningRNN({"<NULL>": 0, "cat": 1}, D, W, H, rng=0)
    with pytest.raises(ValueError, match="expected <START> among the words"):
        net.sample(np.zeros((1, D)))
    with pytest.raises(ValueError, match="max_length >= 0, got -1"):
        model().sample(np.zeros((1, D)), max_length=-1)


@pytest.mark.torch
@pytest.mark.parametrize("cell", CELLS)
def test_pytorch_agrees(cell):
    import torch

    net, (features, captions) = model(cell), draw()
    p = {name: torch.tensor(w, requires_grad=True) for name, w in net.params.items()}
    h, c = torch.tensor(features) @ p["W_proj"] + p["b_proj"], torch.zeros(2, H, dtype=torch.float64)
    states = []
    for word in torch.tensor(captions[:, :-1]).T:
        a = p["W_embed"][word] @ p["Wx"] + h @ p["Wh"] + p["b"]
        if cell == "rnn":
            h = torch.tanh(a)
        else:
            i, f, o, g = a.split(H, dim=1)
            c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
            h = torch.sigmoid(o) * torch.tanh(c)
        states.append(h)
    scores = torch.stack(states, dim=1) @ p["W_vocab"] + p["b_vocab"]
    following = torch.tensor(captions[:, 1:]).reshape(-1)
    theirs = torch.nn.functional.cross_entropy(scores.reshape(-1, V), following, ignore_index=0, reduction="sum") / 2
    theirs.backward()
    loss, grads = net.loss(features, captions)
    np.testing.assert_allclose(loss, theirs.item(), rtol=1e-12)
    for name, grad in grads.items():
        np.testing.assert_allclose(grad, p[name].grad.numpy(), rtol=1e-9, atol=1e-14, err_msg=name)
