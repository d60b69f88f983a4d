"""The command. It starts itself again with one thread, and with an allocator that keeps what it was given back."""

import argparse
import os
import sys
from pathlib import Path

import numpy as np

ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "VECLIB_MAXIMUM_THREADS": "1",
    # glibc: else every large array is a new mapping, and its page faults cost more than what is measured
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": str(1 << 34),
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__.partition(". ")[0] + ".")
    parser.add_argument("names", nargs="*", help="workloads (all of them if none is named)")
    parser.add_argument("--rounds", type=int, default=15, help="how often each contender runs (15)")
    parser.add_argument("--page", type=Path, help="put the table there, as into docs/reference/speed.md")
    parser.add_argument("--json", type=Path, help="write every figure there")
    parser.add_argument("--list", action="store_true", help="list the workloads and stop")
    arguments = parser.parse_args()

    from benchmarks import report, workloads

    if arguments.list:
        sys.stdout.writelines(f"{name}\n" for name in workloads.REGISTRY)
        return
    if unknown := set(arguments.names) - set(workloads.REGISTRY):
        parser.error(f"expected names of {', '.join(workloads.REGISTRY)}, got {', '.join(sorted(unknown))}")
    np.ones(1 << 27, np.float32)  # memory that the allocator keeps: what runs later finds it there already
    results = []
    for name in arguments.names or workloads.REGISTRY:
        results.append(workloads.run(name, arguments.rounds))
        sys.stdout.write(report.line(results[-1]) + "\n")
        sys.stdout.flush()
    if arguments.page:
        report.write(arguments.page, results, arguments.rounds)
    if arguments.json:
        arguments.json.write_text(report.to_json(results, arguments.rounds), encoding="utf-8")


if __name__ == "__main__":
    if all(os.environ.get(name) == value for name, value in ENVIRONMENT.items()):
        main()
    else:  # these are read when the libraries are loaded
        os.execve(sys.executable, [sys.executable, "-m", "benchmarks", *sys.argv[1:]], os.environ | ENVIRONMENT)
