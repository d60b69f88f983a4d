"""The image data of the course, read from the official files without running anything that they might contain.

CIFAR comes as pickles, and unpickling a file runs whatever its author wrote into it. Here only NumPy arrays, numbers,
strings, lists and dictionaries are made; anything else is refused before it happens.

Nothing is downloaded unless `fetch_CIFAR10` or `fetch_CIFAR100` is called. They need ``pip install "cs231n[data]"``.
"""

from __future__ import annotations

import io
import pickle
import tarfile
import zipfile
import zlib
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

__all__ = [
    "fetch_CIFAR10",
    "fetch_CIFAR100",
    "get_CIFAR10_data",
    "load_CIFAR10",
    "load_CIFAR100",
    "load_CIFAR_batch",
    "load_imagenet_val",
]


class _Archive(NamedTuple):
    name: str
    folder: str
    url: str
    sha256: str


CIFAR10 = _Archive(
    "cifar-10-python.tar.gz",
    "cifar-10-batches-py",
    "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz",
    "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce",
)
CIFAR100 = _Archive(
    "cifar-100-python.tar.gz",
    "cifar-100-python",
    "https://www.cs.toronto.edu/~kriz/cifar-100-python.tar.gz",
    "85cd44d02ba6437773c5bbd22e183051d648de2e7d6b014e1ef29b855ba677a7",
)
#: Where the course's scripts put data: seen from a notebook, and seen from this file.
DATASETS = (Path("cs231n/datasets"), Path(__file__).parent / "datasets")


# ------------------------------------------------------------------------------------------------ CIFAR


def load_CIFAR_batch(filename: str | Path) -> tuple[np.ndarray, np.ndarray]:
    """Read one file of the Python version of CIFAR-10.

    Args:
        filename: the file, such as ``data_batch_1``.

    Returns:
        X: (N, 32, 32, 3) float64 images, entries 0 to 255.
        y: (N,) int64 labels, 0 to 9.

    Raises:
        ValueError: the file is truncated, or is something else.
        FileNotFoundError: there is no such file.
    """
    X, y = _batch(Path(filename).read_bytes(), str(filename), "labels", 10)
    return X.astype(np.float64), y


def load_CIFAR10(
    ROOT: str | Path, *, dtype: type = np.float64
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Read CIFAR-10: 50000 images to train on and 10000 to test with.

    Args:
        ROOT: the folder that holds ``data_batch_1`` to ``data_batch_5`` and ``test_batch``, or the official archive
            ``cifar-10-python.tar.gz``. Where there is no such folder, the archive beside it is read.
        dtype: type of the images; as np.uint8 they take an eighth of the memory.

    Returns:
        Xtr: (50000, 32, 32, 3) images, entries 0 to 255.
        Ytr: (50000,) int64 labels, 0 to 9.
        Xte: (10000, 32, 32, 3) images.
        Yte: (10000,) labels.

    Raises:
        ValueError: a file is truncated, or is something else.
        FileNotFoundError: there is no such folder or file; the message says where to put it.
    """
    training = [f"data_batch_{number}" for number in range(1, 6)]
    files = _files(ROOT, CIFAR10, [*training, "test_batch"])
    images, labels = zip(*(_batch(*files[name], "labels", 10) for name in training), strict=True)
    Xte, Yte = _batch(*files["test_batch"], "labels", 10)
    Xtr = np.concatenate(images)
    return Xtr.astype(dtype, copy=False), np.concatenate(labels), Xte.astype(dtype, copy=False), Yte


def load_CIFAR100(ROOT: str | Path, labels: str = "fine") -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Read CIFAR-100: 50000 images to train on and 10000 to test with, in 100 classes or in 20 groups of classes.

    Args:
        ROOT: the folder that holds ``train`` and ``test``, or the official archive ``cifar-100-python.tar.gz``. Where
            there is no such folder, the archive beside it is read.
        labels: 'fine' for the 100 classes, 'coarse' for the 20 groups.

    Returns:
        Xtr: (50000, 32, 32, 3) float64 images, entries 0 to 255.
        Ytr: (50000,) int64 labels.
        Xte: (10000, 32, 32, 3) images.
        Yte: (10000,) labels.

    Raises:
        ValueError: a file is truncated, or is something else; `labels` is neither 'fine' nor 'coarse'.
        FileNotFoundError: there is no such folder or file; the message says where to put it.
    """
    classes = {"fine": 100, "coarse": 20}
    if labels not in classes:
        raise ValueError(f"labels: expected 'fine' or 'coarse', got {labels!r}")
    files = _files(ROOT, CIFAR100, ["train", "test"])
    Xtr, Ytr = _batch(*files["train"], f"{labels}_labels", classes[labels])
    Xte, Yte = _batch(*files["test"], f"{labels}_labels", classes[labels])
    return Xtr.astype(np.float64), Ytr, Xte.astype(np.float64), Yte


def get_CIFAR10_data(
    num_training: int = 49000, num_validation: int = 1000, num_test: int = 1000, subtract_mean: bool = True
) -> dict[str, np.ndarray]:
    """CIFAR-10 as the networks of the course take it: split, centred, channels first.

    The data are looked for in ``cs231n/datasets``, seen from the working directory and from this package, as the folder
    ``cifar-10-batches-py`` or the archive ``cifar-10-python.tar.gz``.

    Args:
        num_training: so many images, from the first on.
        num_validation: so many images of those that follow.
        num_test: so many of the test images, from the first on.
        subtract_mean: take the mean image of the training part away from all parts.

    Returns:
        data: ``X_train`` (num_training, 3, 32, 32) and ``y_train`` (num_training,), the same with ``val`` and ``test``.

    Raises:
        ValueError: more images are asked for than there are, or a file is truncated or something else.
        FileNotFoundError: there are no such data; the message says where to put them.
    """
    places = [place / CIFAR10.folder for place in DATASETS]
    root = next((p for p in places if p.is_dir() or p.with_name(CIFAR10.name).is_file()), places[0])
    X, y, X_test, y_test = load_CIFAR10(root, dtype=np.uint8)
    end = num_training + num_validation
    if num_training < 1 or num_validation < 0 or end > len(X):
        raise ValueError(
            f"expected num_training >= 1 and num_validation >= 0, at most {len(X)} together, "
            f"got {num_training} and {num_validation}"
        )
    if not 0 <= num_test <= len(X_test):
        raise ValueError(f"expected num_test from 0 to {len(X_test)}, got {num_test}")

    parts = {"train": (X, y, 0, num_training), "val": (X, y, num_training, end), "test": (X_test, y_test, 0, num_test)}
    mean = X[:num_training].mean(axis=0, dtype=np.float64) if subtract_mean else np.zeros(X.shape[1:])
    data = {}
    for part, (images, labels, first, last) in parts.items():
        centred = np.empty((last - first, 3, 32, 32))
        np.subtract(images[first:last].transpose(0, 3, 1, 2), mean.transpose(2, 0, 1), out=centred)
        data[f"X_{part}"], data[f"y_{part}"] = centred, labels[first:last].copy()
    return data


def fetch_CIFAR10(folder: str | Path = DATASETS[0]) -> Path:
    """Download the official archive of CIFAR-10 (170 MB) unless it is there, and check it against its SHA-256 sum.

    Args:
        folder: where to put it. The functions that read CIFAR-10 find it in ``cs231n/datasets``.

    Returns:
        archive: the path of the archive, which `load_CIFAR10` takes as it is.

    Raises:
        ImportError: pooch is not installed.
        ValueError: what came is not the official archive.
    """
    return _fetch(CIFAR10, folder)


def fetch_CIFAR100(folder: str | Path = DATASETS[0]) -> Path:
    """Download the official archive of CIFAR-100 (169 MB) unless it is there, and check it against its SHA-256 sum.

    Args:
        folder: where to put it.

    Returns:
        archive: the path of the archive, which `load_CIFAR100` takes as it is.

    Raises:
        ImportError: pooch is not installed.
        ValueError: what came is not the official archive.
    """
    return _fetch(CIFAR100, folder)


def _fetch(archive: _Archive, folder: str | Path) -> Path:
    try:
        import pooch
    except ImportError:
        raise ImportError('a download needs pooch: pip install "cs231n[data]"') from None
    known = f"sha256:{archive.sha256}"
    return Path(pooch.retrieve(archive.url, known, fname=archive.name, path=Path(folder), progressbar=False))


def _files(root: str | Path, archive: _Archive, names: list[str]) -> dict[str, tuple[bytes, str]]:
    """The content of these files, each with what to call it in a message."""
    root = Path(root)
    if root.is_dir():
        missing = [name for name in names if not (root / name).is_file()]
        if missing:
            raise FileNotFoundError(f"{root}: expected the files {', '.join(names)}, missing: {', '.join(missing)}")
        return {name: ((root / name).read_bytes(), str(root / name)) for name in names}
    packed = root if root.is_file() else root.with_name(archive.name)
    if packed.is_file():
        return _unpack(packed, names)
    raise FileNotFoundError(
        f"expected a folder {root} with the files {', '.join(names)}, or the archive {packed}, and found neither. "
        f"Download {archive.url} and put it there, as fetch_CIFAR10 and fetch_CIFAR100 of cs231n.data_utils do."
    )


def _unpack(packed: Path, names: list[str]) -> dict[str, tuple[bytes, str]]:
    found: dict[str, tuple[bytes, str]] = {}
    try:
        with tarfile.open(packed) as tar:
            for member in tar:  # once through, in the order of the archive: going back means to decompress again
                name = Path(member.name).name
                content = tar.extractfile(member) if name in names and member.isfile() else None
                if content is not None:
                    found[name] = content.read(), f"{packed}, {member.name}"
    except (tarfile.TarError, EOFError, OSError, zlib.error) as error:
        raise ValueError(f"{packed}: expected a complete tar archive, got one that cannot be read ({error})") from None
    if missing := [name for name in names if name not in found]:
        raise ValueError(f"{packed}: expected the files {', '.join(names)}, missing: {', '.join(missing)}")
    return found


def _batch(content: bytes, where: str, key: str, classes: int) -> tuple[np.ndarray, np.ndarray]:
    batch = _unpickle(content, where)
    if not isinstance(batch, dict) or not {"data", key} <= batch.keys():
        got = sorted(map(str, batch)) if isinstance(batch, dict) else type(batch).__name__
        raise ValueError(f"{where}: expected a dictionary with the keys data and {key}, got {got}")
    data, labels = batch["data"], batch[key]
    if not isinstance(data, np.ndarray) or data.dtype != np.uint8 or data.ndim != 2 or data.shape[1] != 3072:
        got = f"{data.dtype} {data.shape}" if isinstance(data, np.ndarray) else type(data).__name__
        raise ValueError(f"{where}: expected data of shape (N, 3072) and dtype uint8, got {got}")
    if not isinstance(labels, list) or not all(type(label) is int and 0 <= label < classes for label in labels):
        raise ValueError(f"{where}: expected {key} to be a list of integers from 0 to {classes - 1}")
    if len(labels) != len(data):
        raise ValueError(f"{where}: expected as many labels as images, {len(data)}, got {len(labels)}")
    images = data.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
    return np.ascontiguousarray(images), np.array(labels, dtype=np.int64)


# ----------------------------------------------------------------------------------------- other images


def load_imagenet_val(num: int | None = None) -> tuple[np.ndarray, np.ndarray, dict[int, str]]:
    """Read the course's sample of ImageNet's validation part, ``cs231n/datasets/imagenet_val_25.npz``.

    Args:
        num: so many images, from the first on; all, if it is not given.

    Returns:
        X: (N, 224, 224, 3) uint8 images.
        y: (N,) integer labels, 0 to 999.
        class_names: the name of each label.

    Raises:
        ValueError: the file is truncated, or is something else.
        FileNotFoundError: there is no such file; the message says where to put it.
    """
    places = [place / "imagenet_val_25.npz" for place in DATASETS]
    path = next((place for place in places if place.is_file()), None)
    if path is None:
        raise FileNotFoundError(f"expected the file {places[0]}; the course's get_imagenet_val.sh downloads it there")
    arrays = {}
    try:
        with zipfile.ZipFile(path) as packed:
            for name in ("X", "y", "label_map"):
                arrays[name] = _npy(packed.read(f"{name}.npy"), f"{path}, {name}.npy")
    except (zipfile.BadZipFile, KeyError, EOFError, OSError, zlib.error) as error:
        raise ValueError(f"{path}: expected an npz file with X, y and label_map, got another ({error})") from None
    X, y, label_map = arrays["X"], arrays["y"], arrays["label_map"]
    class_names = label_map.item() if label_map.ndim == 0 else None
    if not isinstance(class_names, dict):
        got = type(class_names).__name__ if label_map.ndim == 0 else f"an array of shape {label_map.shape}"
        raise ValueError(f"{path}: expected label_map to hold one dictionary, got {got}")
    if X.ndim != 4 or y.shape != X.shape[:1]:
        raise ValueError(f"{path}: expected X of shape (N, H, W, 3) and y of shape (N,), got {X.shape} and {y.shape}")
    return X[:num], y[:num], class_names


def _npy(content: bytes, where: str) -> np.ndarray:
    """An array of an npy file. `numpy.load` would unpickle an array of objects without asking what they are."""
    stream = io.BytesIO(content)
    try:
        version = np.lib.format.read_magic(stream)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        dtype = read(stream)[2]
        if not dtype.hasobject:
            stream.seek(0)
            return np.lib.format.read_array(stream, allow_pickle=False)
    except ValueError as error:
        raise ValueError(f"{where}: expected an npy file, got another ({error})") from None
    array = _unpickle(stream.read(), where)
    if not isinstance(array, np.ndarray):
        raise ValueError(f"{where}: expected an array, got {type(array).__name__}")
    return array


# -------------------------------------------------------------------------------------- unpickling, tamed


class _Refused(Exception):
    """The pickle asks for something that no array needs."""


_NDARRAY = object()  # stands for the class: the pickle only hands it on, and cannot call it


class _Tame(pickle.Unpickler):
    """Knows the few names that a pickled NumPy array needs, and no others."""

    def find_class(self, module: str, name: str) -> Any:
        known = {
            ("numpy", "ndarray"): _NDARRAY,
            ("numpy", "dtype"): self.dtype,
            ("_codecs", "encode"): self.encode,
            ("numpy.core.multiarray", "_reconstruct"): self.array,
            ("numpy._core.multiarray", "_reconstruct"): self.array,
            ("numpy.core.multiarray", "scalar"): self.scalar,
            ("numpy._core.multiarray", "scalar"): self.scalar,
        }
        if (module, name) not in known:
            raise _Refused(f"{module}.{name}")
        return known[module, name]

    def persistent_load(self, pid: Any) -> Any:
        raise _Refused("an object that lies elsewhere")

    def array(self, subtype: Any, shape: Any, typecode: Any) -> np.ndarray:
        """An empty array; the pickle goes on to give it shape and content."""
        if subtype is not _NDARRAY:
            raise _Refused(f"an array of the type {subtype!r}")
        return np.empty(0, np.uint8)

    def dtype(self, code: Any, align: Any = False, copy: Any = True) -> np.dtype:
        """Always a new one: the pickle may go on to change it."""
        if not isinstance(code, str):
            raise _Refused(f"the dtype {code!r}")
        return np.dtype(code, align=False, copy=True)

    def scalar(self, dtype: Any, content: Any) -> Any:
        """A number, from the bytes that make it up."""
        if dtype.hasobject:
            raise _Refused("an object in place of a number")
        return np.frombuffer(content if isinstance(content, bytes) else content.encode("latin1"), dtype)[0]

    def encode(self, text: str, encoding: str) -> bytes:
        """Python 3 writes bytes so, for Python 2."""
        if encoding != "latin1":
            raise _Refused(f"the encoding {encoding!r}")
        return text.encode("latin1")


def _unpickle(content: bytes, where: str) -> Any:
    try:
        return _Tame(io.BytesIO(content), encoding="latin1").load()
    except _Refused as refused:
        raise ValueError(f"{where}: expected a pickle of NumPy arrays and plain data, got one with {refused}") from None
    except Exception as error:  # a damaged pickle can fail in any way
        raise ValueError(
            f"{where}: expected a complete pickle, got {len(content)} bytes that cannot be read as one ({error})"
        ) from None
