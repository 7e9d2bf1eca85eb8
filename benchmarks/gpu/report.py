"""Figures as they come: printed, and in a JSON file that is rewritten after each."""

from __future__ import annotations

import json
import platform
import time
from pathlib import Path
from typing import Any

import torch


class Report:
    """Collects the figures of a run."""

    def __init__(self, out: Path | None) -> None:
        self.file = None if out is None else out / "gpu.json"
        if out is not None:
            out.mkdir(parents=True, exist_ok=True)
        self.failed: list[str] = []
        self.started = time.perf_counter()
        cuda = torch.cuda.is_available()
        self.data: dict[str, Any] = {
            "date": time.strftime("%Y-%m-%d"),
            "card": torch.cuda.get_device_name() if cuda else None,
            "torch": torch.__version__,
            "python": platform.python_version(),
        }
        print(json.dumps(self.data), flush=True)
        self._section: dict[str, Any] = {}

    def section(self, name: str) -> None:
        print(f"== {name} ({time.perf_counter() - self.started:.1f} s)", flush=True)
        self._section = self.data.setdefault(name, {})

    def add(self, name: str, **figures: Any) -> None:
        """Notes figures of one thing in this section."""
        print(f"  {name:24} " + "  ".join(f"{k} {_short(v)}" for k, v in figures.items()), flush=True)
        self._section[name] = figures
        self._write()

    def check(self, name: str, ok: bool, **figures: Any) -> None:
        """Notes a check; one that fails makes the run fail at its end."""
        if not ok:
            self.failed.append(name)
        self.add(f"{name}", ok="yes" if ok else "NO", **figures)

    def close(self) -> None:
        self.data["seconds"] = round(time.perf_counter() - self.started, 1)
        self.data["failed"] = self.failed
        self._write()
        print(
            f"{self.data['seconds']} s; " + (f"failed: {', '.join(self.failed)}" if self.failed else "all checks pass")
        )

    def _write(self) -> None:
        if self.file is not None:
            self.file.write_text(json.dumps(self.data, indent=1) + "\n")


def _short(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)
