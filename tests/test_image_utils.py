"""Images: fetched from a server in this process, never from the net."""

from __future__ import annotations

import io
import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from cs231n import image_utils
from cs231n.image_utils import (
    SQUEEZENET_MEAN,
    SQUEEZENET_STD,
    deprocess_image,
    image_from_url,
    load_image,
    preprocess_image,
    resize_image,
)

Image = pytest.importorskip("PIL.Image", reason="Pillow is not installed (pip install -e '.[data]')")


def picture(height: int = 6, width: int = 9) -> np.ndarray:
    return np.random.default_rng(0).integers(256, size=(height, width, 3), dtype=np.uint8)


def png(img: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(img).save(buffer, "PNG")
    return buffer.getvalue()


class Answers(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path == "/slow":
            time.sleep(0.3)  # and then nothing
            return
        body = {"/image": png(picture()), "/gray": png(picture()[:, :, 0]), "/text": b"<html>"}.get(self.path)
        self.send_response(404 if body is None else 200)
        self.end_headers()
        self.wfile.write(body or b"")

    def log_message(self, *_: object) -> None:
        """Quiet."""


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()
        thread.join()


# ------------------------------------------------------------------------------------------- from the net


def test_an_image_is_fetched(server: str) -> None:
    np.testing.assert_array_equal(image_from_url(f"{server}/image"), picture())


def test_a_grey_image_gets_three_colours(server: str) -> None:
    img = image_from_url(f"{server}/gray")
    assert img.shape == (6, 9, 3) and (img[:, :, 0] == img[:, :, 2]).all()


def test_a_page_that_is_missing_says_so(server: str) -> None:
    # the course's code catches the general error first, and never comes to this one
    with pytest.raises(ConnectionError, match="nothing: the server answers 404 Not Found"):
        image_from_url(f"{server}/nothing")


def test_no_network_says_so() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(ConnectionError, match=rf"{port}/image: not to be reached .*is there a network\?"):
        image_from_url(f"http://127.0.0.1:{port}/image")


def test_a_server_that_does_not_answer_is_given_up(server: str) -> None:
    with pytest.raises(ConnectionError, match="timed out"):
        image_from_url(f"{server}/slow", timeout=0.05)


def test_what_is_no_image_is_named(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match="text: expected an image"):
        image_from_url(f"{server}/text")
    monkeypatch.setattr(image_utils, "MAX_PIXELS", 50)
    with pytest.raises(ValueError, match="at most 50 pixels, got 9 × 6"):
        image_from_url(f"{server}/image")
    monkeypatch.setattr(image_utils, "MAX_BYTES", 20)
    with pytest.raises(ValueError, match="at most 20 bytes"):
        image_from_url(f"{server}/image")


@pytest.mark.parametrize("url", ["file:///etc/hostname", "example.org/a.jpg", ""])
def test_only_addresses_of_the_net_are_fetched(url: str) -> None:
    with pytest.raises(ValueError, match="begins with http"):
        image_from_url(url)


def test_without_pillow_the_message_says_what_to_install(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "PIL", None)
    with pytest.raises(ImportError, match=r'Pillow: pip install "cs231n\[data\]"'):
        image_from_url(f"{server}/image")


# ----------------------------------------------------------------------------------------------- from files


@pytest.mark.parametrize(("shape", "expected"), [((6, 9), (4, 6)), ((9, 6), (6, 4)), ((1, 40), (4, 160))])
def test_the_shorter_side_gets_the_size(tmp_path: Path, shape: tuple[int, int], expected: tuple[int, int]) -> None:
    (tmp_path / "a.png").write_bytes(png(picture(*shape)))
    assert load_image(tmp_path / "a.png").shape == (*shape, 3)
    assert load_image(tmp_path / "a.png", size=4).shape == (*expected, 3)


def test_bad_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        load_image(tmp_path / "none.png")
    (tmp_path / "a.png").write_bytes(png(picture(40, 50))[:200])
    with pytest.raises(ValueError, match=r"a\.png: expected an image"):
        load_image(tmp_path / "a.png")
    (tmp_path / "b.png").write_bytes(png(picture()))
    with pytest.raises(ValueError, match="size >= 1, got 0"):
        load_image(tmp_path / "b.png", size=0)


def test_resizing_averages() -> None:
    img = picture(4, 6)
    np.testing.assert_array_equal(resize_image(img, (4, 6)), img)
    means = img.reshape(2, 2, 3, 2, 3).mean(axis=(1, 3))
    assert np.abs(resize_image(img, (2, 3)) - means).max() <= 1
    with pytest.raises(ValueError, match="sides >= 1"):
        resize_image(img, (0, 3))
    with pytest.raises(ValueError, match=r"uint8 colours .*got dtype float64"):
        resize_image(img / 255, (2, 3))


# ------------------------------------------------------------------------------------------------- colours


def test_colours_are_normalized_and_come_back() -> None:
    img = picture()
    normalized = preprocess_image(img)
    assert normalized.dtype == np.float32
    np.testing.assert_allclose(normalized[..., 1], (img[..., 1] / 255 - 0.456) / 0.224, rtol=1e-5, atol=1e-5)
    np.testing.assert_array_equal(deprocess_image(normalized), img)
    np.testing.assert_array_equal(deprocess_image(preprocess_image(img.reshape(2, 27, 3))), img.reshape(2, 27, 3))


def test_what_lies_outside_is_cut_off_or_stretched() -> None:
    wide = (np.array([[[-1.0, 0.5, 3.0]]]) - SQUEEZENET_MEAN) / SQUEEZENET_STD
    np.testing.assert_array_equal(deprocess_image(wide), [[[0, 128, 255]]])
    np.testing.assert_array_equal(deprocess_image(wide, rescale=True), [[[0, 96, 255]]])
    flat = (np.full((2, 2, 3), 0.25) - SQUEEZENET_MEAN) / SQUEEZENET_STD
    assert np.ptp(deprocess_image(flat, rescale=True).astype(int)) <= 255  # no division by 0, so no warning


def test_the_constants_are_those_of_imagenet() -> None:
    assert SQUEEZENET_MEAN.dtype == SQUEEZENET_STD.dtype == np.float32
    np.testing.assert_allclose(SQUEEZENET_MEAN, [0.485, 0.456, 0.406])
    np.testing.assert_allclose(SQUEEZENET_STD, [0.229, 0.224, 0.225])


@pytest.mark.parametrize("function", [preprocess_image, deprocess_image])
def test_three_colours_are_needed(function) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ValueError, match=r"three colours .*got shape \(3, 4, 5\)"):
        function(np.zeros((3, 4, 5)))
