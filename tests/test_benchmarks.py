"""`python -m benchmarks` runs, checks what it times, and renews the table of the page."""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "reference" / "speed.md"


def benchmarks(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "benchmarks", *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )


def test_a_workload_is_checked_timed_and_put_into_the_table(tmp_path):
    page, data = tmp_path / "speed.md", tmp_path / "speed.json"
    text = PAGE.read_text(encoding="utf-8")
    page.write_text(text, encoding="utf-8")
    done = benchmarks("svm_loss", "--rounds", "2", "--page", str(page), "--json", str(data))
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("svm_loss: ") and done.stdout.count("\n") == 1
    (result,) = json.loads(data.read_text(encoding="utf-8"))["results"]
    assert {"plain", "fast", "plain NumPy"} <= set(result["seconds"])
    assert all(len(times) == 2 and min(times) > 0 for times in result["seconds"].values())
    before, _, rest = page.read_text(encoding="utf-8").partition("\n| svm loss<br>(50000, 10) | ")
    assert rest and before.count("| --- |") == text.count("| --- |") > 0  # one table, in the place of the other
    assert rest.partition("<!-- end of the table -->")[2] == text.partition("<!-- end of the table -->")[2]


def test_every_workload_stands_in_the_table():
    names = benchmarks("--list").stdout.split()
    assert len(names) >= 17
    table = PAGE.read_text(encoding="utf-8").partition("<!-- table of")[2].partition("<!-- end of")[0]
    for name in names:
        assert f"\n| {name.replace('_', ' ')}<br>" in table


def test_an_unknown_workload_is_named():
    done = benchmarks("svm")
    assert done.returncode == 2 and "got svm" in done.stderr


def test_a_contender_with_a_wrong_answer_is_not_timed():
    program = (
        "import numpy as np\n"
        "from benchmarks.racing import Goals, Race, run\n"
        "x = np.arange(6, dtype=np.float32)\n"
        "race = Race((x,), lambda x: (2 * x,), peers={'wrong': lambda x: (2 * x + np.float32(1e-3),)}, moved=1)\n"
        "run('twice', 'six', Goals(1, 1), race, 1)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1 and "twice, wrong, result 0: off by 1.0e-04 of the largest entry" in done.stderr
