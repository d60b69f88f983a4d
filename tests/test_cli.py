"""The command line: what it accepts, what it says, and its exit status."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

import cs231n
from cs231n.cli import _write_json, app

SCRIPT = Path(sys.executable).parent / "cs231n"

FRONT = """---
title: Squares
sizes: {N: rows, D: features}
indices: {n m: N, d e: D}
tensors: {x: [N, D], dout: [N, D]}
output: out
---

# Squares

$$ \\mathrm{out}_{nd} := x_{nd}^2 $$

"""
CLAIM = "$$ dx_{nd} = 2\\,x_{nd}\\,\\mathrm{dout}_{nd} \\tag{dx} $$\n\n"
MISTAKE = "$$ dx_{nd} \\neq x_{nd}\\,\\mathrm{dout}_{nd} \\tag{no-factor} $$\n\n"
LIMIT = "$$ \\sum_d x_{nd} = 1 \\qquad \\text{(not checked: it is a limit)} \\tag{limit} $$\n"


def write(folder: Path, *parts: str, name: str = "mine.md") -> Path:
    path = folder / name
    path.write_text("".join(parts), encoding="utf-8")
    return path


def prove(*arguments: object, columns: int = 200) -> Result:
    """``cs231n prove`` in this process."""
    return CliRunner().invoke(app, ["prove", "--jobs", "1", *map(str, arguments)], env={"COLUMNS": str(columns)})


def test_a_page_of_ones_own(tmp_path: Path) -> None:
    page = write(tmp_path, FRONT, CLAIM, MISTAKE, LIMIT)
    result = prove(page, "--json", tmp_path / "out.json")
    assert result.exit_code == 0, result.output
    assert "1 of 1 claims proved, 1 of 1 mistakes refuted" in result.output

    data = json.loads((tmp_path / "out.json").read_text(encoding="utf-8"))
    assert set(data) == {"pages", "totals"}
    (found,) = data["pages"]
    assert [s["kind"] for s in found["statements"]] == ["definition", "claim", "mistake", "unchecked"]
    for statement in found["statements"]:
        assert {
            "kind",
            "line",
            "latex",
            "display",
            "anchor",
            "verdict",
            "sizes",
            "hypotheses",
            "seconds",
            "mutants",
            "mutants_refuted",
            "mutants_equivalent",
            "counterexample",
        } <= set(statement)
    _, claim, mistake, unchecked = found["statements"]
    assert (claim["line"], claim["anchor"], claim["verdict"], claim["sizes"]) == (13, "dx", "proved", "all")
    assert claim["mutants"] == claim["mutants_refuted"] + len(claim["mutants_equivalent"]) >= 5
    assert claim["counterexample"] is None
    assert mistake["verdict"] == "refuted"
    assert {"sizes", "at", "left", "right"} <= set(mistake["counterexample"])
    assert unchecked["verdict"] == "unchecked"
    assert data["totals"]["ok"] is True
    assert data["totals"]["claims"] == data["totals"]["claims_proved"] == 1
    assert list(tmp_path.glob(".*")) == [], "a temporary file was left"


def test_a_wrong_claim(tmp_path: Path) -> None:
    page = write(tmp_path, FRONT, CLAIM.replace("2", "3"))
    result = prove(page, "--json", tmp_path / "out.json")
    assert result.exit_code == 1
    assert f"{page}:13: refuted, but the page makes it a claim (proved)" in result.output
    (data,) = json.loads((tmp_path / "out.json").read_text(encoding="utf-8"))["pages"]
    left = next(s["counterexample"]["left"] for s in data["statements"] if s["kind"] == "claim")
    assert result.output.count(left) == 1, "the point stands there twice"


def test_on_a_narrow_terminal_the_relation_is_cut(tmp_path: Path) -> None:
    front = FRONT.replace("output:", "scalars: {kappa: positive, k: real}\noutput:")
    long = " + ".join(["\\frac{k^2 x_{nd}}{k}"] * 4)
    page = write(tmp_path, front, f"$$ {long} = \\frac{{4 k^2 x_{{nd}}}}{{k}} \\tag{{a-name-of-some-length}} $$\n")
    for columns in (80, 110):
        result = prove(page, columns=columns)
        assert result.exit_code == 0, result.output
        head, row = (line for line in result.output.splitlines() if line.startswith(("line ", "  14 ")))
        assert head.split() == ["line", "name", "relation", "verdict", "where", "mutants", "ms"]
        assert "a-name-of-some-length" in row
        assert "… proved" in " ".join(row.split())
        assert "k ≠ 0" in row
        assert len(row) <= columns
    assert "· 1 definition ·" in result.output


def test_a_mistake_that_is_none(tmp_path: Path) -> None:
    page = write(tmp_path, FRONT, CLAIM.replace("=", "\\neq"))
    result = prove(page)
    assert result.exit_code == 1
    assert f"{page}:13: proved, but the page makes it a mistake (refuted)" in result.output


def test_a_page_that_cannot_be_read(tmp_path: Path) -> None:
    page = write(tmp_path, FRONT, "$$ dx_{nd} = 2\\,z_{nd} $$\n")
    good = write(tmp_path, FRONT, CLAIM, name="good.md")
    result = prove(page, good, "--json", tmp_path / "out.json")
    assert result.exit_code == 1
    assert f"{page}:13:" in result.output
    assert "Traceback" not in result.output
    data = json.loads((tmp_path / "out.json").read_text(encoding="utf-8"))
    assert ["z" in (data["pages"][0]["error"] or ""), data["pages"][1].get("error")] == [True, None]
    assert data["pages"][0]["statements"] == []
    assert data["totals"]["errors"] == 1
    assert data["totals"]["claims_proved"] == 1
    assert data["totals"]["ok"] is False


def test_bytes_that_are_no_text(tmp_path: Path) -> None:
    page = tmp_path / "mine.md"
    page.write_bytes(b"\xff\xfe$$ a = b $$")
    result = prove(page)
    assert result.exit_code == 1
    assert "Traceback" not in result.output


def test_an_unknown_concept() -> None:
    result = prove("batchnrom")
    assert result.exit_code == 2
    assert "Did you mean layers/batchnorm" in result.stderr


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    result = prove(tmp_path / "none.md")
    assert result.exit_code == 2
    assert f"there is no file {tmp_path / 'none.md'}" in result.stderr


def test_a_folder_that_is_not_there_is_noticed_before_the_work(tmp_path: Path) -> None:
    page = write(tmp_path, FRONT, CLAIM)
    result = prove(page, "--json", tmp_path / "none" / "out.json")
    assert result.exit_code == 2
    assert "no such folder" in result.stderr


def test_json_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "out.json"
    path.write_text("old")
    with pytest.raises(TypeError):
        _write_json({"pages": object()}, path)
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["out.json"]
    _write_json({"pages": []}, path)
    assert json.loads(path.read_text()) == {"pages": []}


# ----------------------------------------------------------------------------------- the installed command


def test_both_names_of_the_command(tmp_path: Path) -> None:
    for command in ([SCRIPT], [sys.executable, "-m", "cs231n"]):
        done = subprocess.run([*command, "--version"], cwd=tmp_path, capture_output=True, text=True, check=True)
        assert done.stdout == f"cs231n {cs231n.__version__}\n"


def test_a_readers_own_folder_does_not_shadow_the_command(tmp_path: Path) -> None:
    """Students have a folder cs231n of the course where they work; here with pages enough for two processes."""
    (tmp_path / "cs231n").mkdir()
    (tmp_path / "cs231n" / "__init__.py").write_text("raise RuntimeError('the wrong package')")
    pages = [write(tmp_path, FRONT, CLAIM, name=f"page{number}.md").name for number in (2, 1, 3)]
    done = subprocess.run(
        [SCRIPT, "prove", "--jobs", "2", "--json", "out.json", *pages],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    data = json.loads((tmp_path / "out.json").read_text(encoding="utf-8"))
    assert [page["page"] for page in data["pages"]] == ["page2", "page1", "page3"], "not in the order asked for"


@pytest.mark.skipif(os.name == "nt", reason="Windows has no process groups to interrupt")
def test_ctrl_c(tmp_path: Path) -> None:
    claims = [CLAIM.replace("{dx}", f"{{dx-{number}}}") for number in range(50)]
    pages = [write(tmp_path, FRONT, *claims, name=f"page{number}.md").name for number in range(100)]  # a minute's work
    process = subprocess.Popen(
        [SCRIPT, "prove", "--jobs", "2", "--json", "out.json", *pages],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        time.sleep(2)
        os.killpg(process.pid, signal.SIGINT)
        out, err = process.communicate(timeout=20)
    finally:
        process.kill()
    assert process.returncode == 130, out + err
    assert "Traceback" not in out + err
    assert "Interrupted" in err
    assert not (tmp_path / "out.json").exists()
