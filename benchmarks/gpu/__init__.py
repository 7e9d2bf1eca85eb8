"""Whether a GPU computes what a CPU does, how fast it trains, and how far that is from its limits.

    python -m benchmarks gpu --pack gpu-bundle     # code and data for a machine that has neither
    python -m benchmarks gpu --out results         # there, in the bundle: EXPLORER_DATA names other data
    python -m benchmarks gpu --dry-run             # everything on the CPU with generated data, in a minute

Needs torch, numpy, Pillow, safetensors, jaxtyping and tqdm; no network and no browser. Figures are printed and
written as they come, so that a run that is cut off leaves what it has measured.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path

import torch

from benchmarks.gpu import checks, data, speed
from benchmarks.gpu.plan import DRY, FULL, Plan
from benchmarks.gpu.report import Report

SECTIONS = {
    "devices": checks.devices,
    "agreement": checks.agreement,
    "graphs": checks.graphs,
    "precision": checks.precision,
    "resume": checks.resume,
    "ceilings": speed.ceilings,
    "throughput": speed.throughput,
    "quality": speed.quality,
}


def main(argv: list[str]) -> int:
    """Runs it; returns 1 if a check fails."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks gpu", description=__doc__)
    parser.add_argument("--pack", type=Path, nargs="?", const=Path("gpu-bundle"), metavar="DIR", help="make the bundle")
    parser.add_argument("--limit-mib", type=float, default=64.0, help="size of the bundle (default: 64)")
    parser.add_argument("--dry-run", action="store_true", help="all of it on the CPU with small generated data")
    parser.add_argument("--device", default="cuda", help="(default: cuda)")
    parser.add_argument("--only", nargs="+", choices=SECTIONS, metavar="SECTION", help=f"of {', '.join(SECTIONS)}")
    parser.add_argument("--out", type=Path, default=None, help="folder of gpu.json (default: $OUT, else none)")
    args = parser.parse_args(argv)
    if args.pack:
        size = data.pack(args.pack, limit=int(args.limit_mib * 2**20))
        print(f"{args.pack}: {size / 2**20:.1f} MiB")
        return 0
    out = args.out or (Path(os.environ["OUT"]) if os.environ.get("OUT") else None)
    report = Report(out)
    with tempfile.TemporaryDirectory() as folder:
        plan = _plan(args, Path(folder))
        for name in args.only or SECTIONS:
            report.section(name)
            SECTIONS[name](plan, report)
    report.close()
    return 1 if report.failed else 0


def _plan(args: argparse.Namespace, folder: Path) -> Plan:
    if args.dry_run:
        torch.set_num_threads(1)
        data.generate(folder / "data")
        return Plan(device="cpu", root=folder / "data", folder=folder, **DRY)
    packed = Path(__file__).parents[2] / "packed-data"
    root = Path(os.environ.get("EXPLORER_DATA") or (packed if packed.is_dir() else "data"))
    return Plan(device=args.device, root=root, folder=folder, **FULL)
