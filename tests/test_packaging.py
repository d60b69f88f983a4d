"""What users install: the wheel, the sdist and the editable install, each in its own virtual environment."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
import yaml

import cs231n

ROOT = Path(__file__).resolve().parent.parent

pytestmark = [pytest.mark.packaging, pytest.mark.slow]

ENVIRONMENT = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "VIRTUAL_ENV")}


def run(*command: str | Path, cwd: Path) -> str:
    """The output of a command that must succeed."""
    done = subprocess.run(command, cwd=cwd, env=ENVIRONMENT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("packaging")


@pytest.fixture(scope="module")
def dist(folder: Path) -> Path:
    """The sdist, and the wheel built from that sdist."""
    probe = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", str(folder / "probe"), "hatchling"]
    if subprocess.run(probe, env=ENVIRONMENT, capture_output=True, check=False).returncode != 0:
        if os.environ.get("CI"):
            pytest.fail("pip reaches no package index, and CI must not pass without these tests")
        pytest.skip("pip reaches no package index")
    run(sys.executable, "-m", "build", "--outdir", folder / "dist", ROOT, cwd=folder)
    return folder / "dist"


@pytest.fixture(scope="module")
def wheel(dist: Path) -> Path:
    (path,) = dist.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def sdist(dist: Path) -> Path:
    (path,) = dist.glob("*.tar.gz")
    return path


def test_the_index_would_take_them(wheel: Path, sdist: Path) -> None:
    assert "FAILED" not in run(sys.executable, "-m", "twine", "check", "--strict", wheel, sdist, cwd=wheel.parent)


def test_the_wheel_is_the_tree_with_the_pages(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        packed = {name for name in archive.namelist() if name.startswith("cs231n/")}
        metadata = {name.partition("/")[2] for name in archive.namelist() if ".dist-info/" in name}
    code = {path.relative_to(ROOT).as_posix() for path in (ROOT / "cs231n").rglob("*") if path.is_file()}
    pages = {f"cs231n/_book/{path.relative_to(ROOT / 'docs').as_posix()}" for path in (ROOT / "docs").rglob("*.md")}
    assert packed == {name for name in code if "__pycache__" not in name} | pages
    assert {"cs231n/py.typed", "cs231n/_book/layers/batchnorm.md"} <= packed
    assert any(name.endswith(".lark") for name in packed)
    assert {"entry_points.txt", "licenses/LICENSE"} <= metadata


def test_the_sdist_is_the_checkout(sdist: Path) -> None:
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout, so there is no list of files to compare with")
    tracked = run("git", "ls-files", cwd=ROOT).splitlines()
    with tarfile.open(sdist) as archive:
        packed = {name.partition("/")[2] for name in archive.getnames()}
    assert {name for name in tracked if (ROOT / name).exists()} <= packed


@pytest.mark.parametrize("kind", ["wheel", "sdist", "editable"])
def test_a_fresh_install_proves_a_page(kind: str, wheel: Path, sdist: Path, folder: Path) -> None:
    home = folder / kind
    run(sys.executable, "-m", "venv", home, cwd=folder)
    scripts = home / ("Scripts" if os.name == "nt" else "bin")
    python = scripts / Path(sys.executable).name
    install: tuple[str | Path, ...] = (python, "-m", "pip", "install", "-q", "--disable-pip-version-check")
    if kind == "wheel":
        run(*install, wheel, cwd=folder)  # with all dependencies, so that a missing one is noticed
    else:
        # The dependencies are those of this environment: a plain path in a .pth file makes them visible without
        # running the .pth files that stand there, so the package itself is not.
        site = Path(run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=folder).strip())
        (site / "dependencies.pth").write_text(str(Path(yaml.__file__).parent.parent))
        arguments = ["-e", ROOT] if kind == "editable" else [sdist]
        run(*install, "--no-deps", "--ignore-installed", *arguments, cwd=folder)

    empty = folder / f"{kind}-empty"
    empty.mkdir()
    book = Path(run(python, "-c", "from cs231n.pages import book_root; print(book_root())", cwd=empty).strip())
    assert book.is_relative_to(ROOT if kind == "editable" else home), book
    assert (home in book.parents) == (kind != "editable")

    run(scripts / "cs231n", "prove", "batchnorm", "--json", "verdicts.json", cwd=empty)
    verdicts = json.loads((empty / "verdicts.json").read_text(encoding="utf-8"))
    assert [page["page"] for page in verdicts["pages"]] == ["layers/batchnorm"]
    assert verdicts["totals"]["ok"] is True
    assert verdicts["totals"]["claims"] > 10


def test_one_version() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["version"] == cs231n.__version__


def test_constraints_hold_no_address() -> None:
    text = (ROOT / "constraints.txt").read_text(encoding="utf-8")
    assert "://" not in text
    assert "@" not in text
