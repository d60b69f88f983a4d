"""The readers of image data, on tiny files in the official formats, and on files that mean harm."""

import functools
import hashlib
import http.server
import io
import pickle
import struct
import sys
import tarfile
import threading

import numpy as np
import pytest

from cs231n import data_utils
from cs231n.data_utils import (
    fetch_CIFAR10,
    fetch_CIFAR100,
    get_CIFAR10_data,
    load_CIFAR10,
    load_CIFAR100,
    load_CIFAR_batch,
    load_imagenet_val,
)

COUNT = 6  # images in a file; officially 10000


def python2_pickle(data, **lists):
    """What Python 2's pickle writes for a dictionary with one array of bytes, and lists of small integers."""

    def text(value):
        return b"U" + bytes([len(value)]) + value.encode()

    def integer(value):
        return b"J" + struct.pack("<i", value)

    array = b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R"
    dtype = b"cnumpy\ndtype\nU\x02u1K\x00K\x01\x87R(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
    raw = b"T" + struct.pack("<i", data.size) + data.tobytes()
    state = b"(K\x01(" + b"".join(map(integer, data.shape)) + b"t" + dtype + b"\x89" + raw + b"tb"
    items = text("data") + array + state
    for key, values in lists.items():
        items += text(key) + b"](" + b"".join(map(integer, values)) + b"e"
    return b"\x80\x02}(" + items + b"u."


def batch(seed, count=COUNT):
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, size=(count, 3072), dtype=np.uint8), rng.integers(0, 10, size=count).tolist()


def cifar10_files():
    names = [*(f"data_batch_{number}" for number in range(1, 6)), "test_batch"]
    batches = [batch(seed) for seed in range(6)]
    return {name: python2_pickle(data, labels=labels) for name, (data, labels) in zip(names, batches, strict=True)}


def write_folder(folder, files):
    folder.mkdir(parents=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return folder


def write_archive(path, folder, files):
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w:gz") as tar:
        for name, content in reversed(files.items()):  # the order in an archive is nobody's promise
            member = tarfile.TarInfo(f"{folder}/{name}")
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return path


def pixels(data):
    return data.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)


# -------------------------------------------------------------------------------------------------- CIFAR


def test_one_file(tmp_path):
    data, labels = batch(0)
    (tmp_path / "data_batch_1").write_bytes(python2_pickle(data, labels=labels))
    X, y = load_CIFAR_batch(tmp_path / "data_batch_1")
    assert X.dtype == np.float64 and y.dtype == np.int64
    np.testing.assert_array_equal(X, pixels(data))
    np.testing.assert_array_equal(y, labels)
    assert X[1, 2, 3, 1] == data[1, 1024 + 2 * 32 + 3]  # green, row 2, column 3


@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4])
def test_files_that_python_3_writes(tmp_path, protocol):
    data, labels = batch(0)
    (tmp_path / "file").write_bytes(pickle.dumps({"data": data, "labels": labels, "other": "é"}, protocol))
    X, y = load_CIFAR_batch(str(tmp_path / "file"))
    np.testing.assert_array_equal(X, pixels(data))
    np.testing.assert_array_equal(y, labels)


def test_cifar10_from_folder_and_archive(tmp_path):
    files = cifar10_files()
    folder = write_folder(tmp_path / "a" / "cifar-10-batches-py", files)
    archive = write_archive(tmp_path / "b" / "cifar-10-python.tar.gz", "cifar-10-batches-py", files)
    beside = tmp_path / "b" / "cifar-10-batches-py"  # not unpacked
    expected = [batch(n) for n in range(6)]
    for root in (folder, str(folder), archive, beside):
        Xtr, Ytr, Xte, Yte = load_CIFAR10(root)
        assert Xtr.shape == (5 * COUNT, 32, 32, 3) and Xtr.dtype == Xte.dtype == np.float64
        np.testing.assert_array_equal(Xtr, pixels(np.concatenate([data for data, _ in expected[:5]])))
        np.testing.assert_array_equal(Ytr, np.concatenate([labels for _, labels in expected[:5]]))
        np.testing.assert_array_equal(Xte, pixels(expected[5][0]))
        np.testing.assert_array_equal(Yte, expected[5][1])


def test_cifar100(tmp_path):
    train, test = batch(0)[0], batch(1)[0]
    fine, coarse = [99, 0, 50, 7, 20, 33], [19, 0, 10, 7, 2, 3]
    files = {
        "train": python2_pickle(train, fine_labels=fine, coarse_labels=coarse),
        "test": python2_pickle(test, fine_labels=fine[::-1], coarse_labels=coarse[::-1]),
    }
    archive = write_archive(tmp_path / "cifar-100-python.tar.gz", "cifar-100-python", files)
    Xtr, Ytr, Xte, Yte = load_CIFAR100(archive)
    np.testing.assert_array_equal(Xtr, pixels(train))
    np.testing.assert_array_equal(Xte, pixels(test))
    assert Ytr.tolist() == fine and Yte.tolist() == fine[::-1]
    assert load_CIFAR100(archive, labels="coarse")[1].tolist() == coarse
    with pytest.raises(ValueError, match="labels: expected 'fine' or 'coarse', got 'rough'"):
        load_CIFAR100(archive, labels="rough")


@pytest.mark.parametrize("packed", [False, True])
def test_the_data_of_the_networks(tmp_path, monkeypatch, packed):
    monkeypatch.chdir(tmp_path)
    place = tmp_path / "cs231n" / "datasets"
    if packed:
        write_archive(place / "cifar-10-python.tar.gz", "cifar-10-batches-py", cifar10_files())
    else:
        write_folder(place / "cifar-10-batches-py", cifar10_files())
    X, y, X_test, y_test = load_CIFAR10(place / "cifar-10-batches-py")
    data = get_CIFAR10_data(num_training=20, num_validation=7, num_test=4)
    shapes = {name: array.shape for name, array in data.items()}
    assert shapes == {
        "X_train": (20, 3, 32, 32),
        "y_train": (20,),
        "X_val": (7, 3, 32, 32),
        "y_val": (7,),
        "X_test": (4, 3, 32, 32),
        "y_test": (4,),
    }
    mean = X[:20].mean(axis=0)
    np.testing.assert_allclose(data["X_train"].mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(data["X_val"], (X[20:27] - mean).transpose(0, 3, 1, 2))
    np.testing.assert_allclose(data["X_test"], (X_test[:4] - mean).transpose(0, 3, 1, 2))
    np.testing.assert_array_equal(data["y_val"], y[20:27])
    np.testing.assert_array_equal(data["y_test"], y_test[:4])
    raw = get_CIFAR10_data(20, 7, 4, subtract_mean=False)
    np.testing.assert_array_equal(raw["X_val"], X[20:27].transpose(0, 3, 1, 2))


def test_more_images_than_there_are(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_folder(tmp_path / "cs231n" / "datasets" / "cifar-10-batches-py", cifar10_files())
    with pytest.raises(ValueError, match="at most 30 together, got 49000 and 1000"):
        get_CIFAR10_data()
    with pytest.raises(ValueError, match=r"num_training >= 1 .* got 0 and 3"):
        get_CIFAR10_data(0, 3, 1)
    with pytest.raises(ValueError, match="num_test from 0 to 6, got 7"):
        get_CIFAR10_data(3, 3, 7)


# ----------------------------------------------------------------------------- what is missing or damaged


def test_a_message_says_where_to_put_the_data(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder, archive = r"cs231n.datasets.cifar-10-batches-py", r"cs231n.datasets.cifar-10-python\.tar\.gz"
    with pytest.raises(FileNotFoundError, match=f"folder {folder} .*archive {archive}.*fetch_CIFAR10"):
        get_CIFAR10_data()


def test_an_incomplete_folder_and_archive(tmp_path):
    files = cifar10_files()
    del files["data_batch_3"]
    with pytest.raises(FileNotFoundError, match=r"missing: data_batch_3$"):
        load_CIFAR10(write_folder(tmp_path / "folder", files))
    with pytest.raises(ValueError, match=r"missing: data_batch_3$"):
        load_CIFAR10(write_archive(tmp_path / "a.tar.gz", "cifar-10-batches-py", files))


@pytest.mark.parametrize("part", [0, 1, 10, 0.5, 0.99])
def test_a_truncated_archive(tmp_path, part):
    archive = write_archive(tmp_path / "a.tar.gz", "cifar-10-batches-py", cifar10_files())
    content = archive.read_bytes()
    archive.write_bytes(content[: int(part * len(content)) if isinstance(part, float) else part])
    with pytest.raises(ValueError, match=r"a\.tar\.gz: expected"):
        load_CIFAR10(archive)


def test_a_foreign_archive(tmp_path):
    (tmp_path / "a.tar.gz").write_bytes(b"<html>404 Not Found</html>")
    with pytest.raises(ValueError, match="expected a complete tar archive, got one that cannot be read"):
        load_CIFAR10(tmp_path / "a.tar.gz")


@pytest.mark.parametrize("end", [0, 1, 100, 5000, -2])
def test_a_truncated_file(tmp_path, end):
    data, labels = batch(0)
    (tmp_path / "file").write_bytes(python2_pickle(data, labels=labels)[:end])
    with pytest.raises(ValueError, match=r"file: expected a complete pickle, got \d+ bytes that cannot be read as one"):
        load_CIFAR_batch(tmp_path / "file")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([1, 2], "a dictionary with the keys data and labels, got list"),
        ({"data": 1}, r"keys data and labels, got \['data'\]"),
        ({"data": [1], "labels": [1]}, r"data of shape \(N, 3072\) and dtype uint8, got list"),
        ({"data": np.zeros((2, 784), np.uint8), "labels": [1, 2]}, r"got uint8 \(2, 784\)"),
        ({"data": np.zeros((2, 3072)), "labels": [1, 2]}, r"got float64 \(2, 3072\)"),
        ({"data": np.zeros((2, 3072), np.uint8), "labels": [1]}, "as many labels as images, 2, got 1"),
        ({"data": np.zeros((2, 3072), np.uint8), "labels": [1, 10]}, "integers from 0 to 9"),
        ({"data": np.zeros((2, 3072), np.uint8), "labels": [1, True]}, "integers from 0 to 9"),
        ({"data": np.zeros((2, 3072), np.uint8), "labels": "ab"}, "integers from 0 to 9"),
    ],
)
def test_a_file_with_something_else(tmp_path, content, message):
    (tmp_path / "file").write_bytes(pickle.dumps(content, 2))
    with pytest.raises(ValueError, match=message):
        load_CIFAR_batch(tmp_path / "file")


# --------------------------------------------------------------------------------------- what means harm


class Harm:
    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_a_pickle_runs_nothing(tmp_path, protocol):
    harm = pickle.dumps({"data": Harm(open, str(tmp_path / "harm"), "w")}, protocol)
    pickle.loads(harm)["data"].close()  # the usual way, it does what its author wants
    assert (tmp_path / "harm").exists()
    (tmp_path / "harm").unlink()
    (tmp_path / "file").write_bytes(harm)
    with pytest.raises(ValueError, match=r"pickle of NumPy arrays and plain data, got one with .*open"):
        load_CIFAR_batch(tmp_path / "file")
    assert not (tmp_path / "harm").exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"cbuiltins\neval\n(V1+1\ntR.", r"builtins\.eval"),
        (b"cos\nsystem\n(Vtrue\ntR.", r"os\.system"),
        (b"\x80\x04\x8c\x05numpy\x94\x8c\x11ndarray.__class__\x94\x93.", r"numpy\.ndarray\.__class__"),
        (b"cnumpy\nload\n(Vx\ntR.", r"numpy\.load"),
        (b"cnumpy\nmemmap\n(Vx\ntR.", r"numpy\.memmap"),
        (b"cnumpy\nndarray\n((I1000000000000\ntVf8\ntR.", "cannot be read as one"),
        (b"c_codecs\nencode\n(Vx\nVzlib\ntR.", "the encoding 'zlib'"),
        (b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\ndtype\n(I0\ntVb\ntR.", "an array of the type"),
        (b"cnumpy\ndtype\n((lVf8\ntR.", "got one with the dtype|cannot be read"),
        (b"cnumpy.core.multiarray\nscalar\n(cnumpy\ndtype\n(VO\nI00\nI01\ntRVx\ntR.", "an object in place of a number"),
        (b"Pelsewhere\n.", "an object that lies elsewhere"),
    ],
)
def test_names_that_no_array_needs_are_refused(tmp_path, content, message):
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(ValueError, match=message):
        load_CIFAR_batch(tmp_path / "file")


def test_a_pickle_cannot_change_the_types_of_numpy(tmp_path):
    # without a copy this would turn bytes into big-endian something for everybody
    (tmp_path / "file").write_bytes(b"cnumpy\ndtype\n(Vi4\nI00\nI00\ntR(I3\nV>\nNNNI-1\nI-1\nI0\ntb.")
    with pytest.raises(ValueError, match="a dictionary with the keys"):
        load_CIFAR_batch(tmp_path / "file")
    assert np.dtype("i4").isnative and np.dtype(np.int32).byteorder == "="


# ---------------------------------------------------------------------------------------- ImageNet's sample


def imagenet(path, **changes):
    rng = np.random.default_rng(0)
    arrays = {
        "X": rng.integers(0, 256, size=(4, 6, 6, 3), dtype=np.uint8),
        "y": np.array([3, 1, 2, 0]),
        "label_map": np.array({n: f"class {n}" for n in range(4)}, dtype=object),
    } | changes
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, **arrays)
    return arrays


def test_imagenet_val(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileNotFoundError, match=r"the file cs231n.datasets.imagenet_val_25\.npz"):
        load_imagenet_val()
    arrays = imagenet(tmp_path / "cs231n" / "datasets" / "imagenet_val_25.npz")
    X, y, class_names = load_imagenet_val()
    np.testing.assert_array_equal(X, arrays["X"])
    np.testing.assert_array_equal(y, arrays["y"])
    assert class_names == {n: f"class {n}" for n in range(4)}
    assert [len(a) for a in load_imagenet_val(num=3)[:2]] == [3, 3]


def test_numpy_load_is_left_alone(tmp_path, monkeypatch):
    # the text this project came from replaced numpy.load by one that unpickles, for everybody
    monkeypatch.chdir(tmp_path)
    before = np.load
    imagenet(tmp_path / "cs231n" / "datasets" / "imagenet_val_25.npz", label_map=np.array(Harm(print), dtype=object))
    with pytest.raises(
        ValueError, match=r"label_map\.npy: expected a pickle .*, got one with (__builtin__|builtins)\.print"
    ):
        load_imagenet_val()
    assert np.load is before


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"label_map": np.array([1, 2])}, r"label_map to hold one dictionary, got an array of shape \(2,\)"),
        ({"label_map": np.array(3)}, "label_map to hold one dictionary, got int"),
        ({"y": np.array([1])}, r"y of shape \(N,\), got \(4, 6, 6, 3\) and \(1,\)"),
    ],
)
def test_imagenet_val_with_something_else(tmp_path, monkeypatch, changes, message):
    monkeypatch.chdir(tmp_path)
    imagenet(tmp_path / "cs231n" / "datasets" / "imagenet_val_25.npz", **changes)
    with pytest.raises(ValueError, match=message):
        load_imagenet_val()


def test_a_damaged_imagenet_val(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "cs231n" / "datasets" / "imagenet_val_25.npz"
    imagenet(path)
    path.write_bytes(path.read_bytes()[:300])
    with pytest.raises(ValueError, match="expected an npz file with X, y and label_map"):
        load_imagenet_val()


# -------------------------------------------------------------------------------------------- downloading


@pytest.fixture
def server(tmp_path):
    """Serves the folder ``served`` on this machine."""
    (tmp_path / "served").mkdir()

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *args):
            pass

    with http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(Quiet, directory=tmp_path / "served")
    ) as running:
        thread = threading.Thread(target=running.serve_forever, daemon=True)
        thread.start()
        yield tmp_path / "served", f"http://127.0.0.1:{running.server_address[1]}"
        running.shutdown()
        thread.join()


def test_the_archive_is_fetched_once_and_checked(tmp_path, monkeypatch, server):
    pytest.importorskip("pooch", reason="pooch is not installed (pip install -e '.[test]')")
    served, address = server
    made = write_archive(served / "cifar-10-python.tar.gz", "cifar-10-batches-py", cifar10_files())
    official = data_utils.CIFAR10._replace(
        url=f"{address}/{made.name}", sha256=hashlib.sha256(made.read_bytes()).hexdigest()
    )
    monkeypatch.setattr(data_utils, "CIFAR10", official)
    monkeypatch.chdir(tmp_path)
    archive = fetch_CIFAR10()
    assert archive.resolve() == tmp_path / "cs231n" / "datasets" / "cifar-10-python.tar.gz"
    assert get_CIFAR10_data(10, 5, 3)["X_train"].shape == (10, 3, 32, 32)
    made.unlink()
    assert fetch_CIFAR10() == archive  # it is there: nothing to fetch

    write_archive(served / "cifar-10-python.tar.gz", "cifar-10-batches-py", {"data_batch_1": b"forged"})
    with pytest.raises(ValueError, match="hash"):
        fetch_CIFAR10(tmp_path / "elsewhere")
    assert not (tmp_path / "elsewhere" / "cifar-10-python.tar.gz").exists()


def test_without_pooch_the_message_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "pooch", None)
    for fetch in (fetch_CIFAR10, fetch_CIFAR100):
        with pytest.raises(ImportError, match=r'a download needs pooch: pip install "cs231n\[data\]"'):
            fetch()


def test_the_official_archives_are_named_with_their_sums():
    for archive in (data_utils.CIFAR10, data_utils.CIFAR100):
        assert archive.url == f"https://www.cs.toronto.edu/~kriz/{archive.name}"
        assert len(bytes.fromhex(archive.sha256)) == 32
