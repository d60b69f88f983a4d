"""How fast the layers are, beside other ways to write them and PyTorch: `python -m benchmarks`.

Each file has one task: `workloads` says what is run, `peers` how others would write it, `racing` measures, `report`
makes the table of the page on speed. A workload is one function there; nothing else has to know of it.
"""
