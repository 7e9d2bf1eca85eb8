"""Writes `families.md`, the table of what was measured of each model that ships, and of some whose weights do not.

    python -m explorer evaluate NAME --k 100 --save   # measures one
    python -m benchmarks families                     # writes the table anew from what was measured

It reads `metrics.json` and `config.json`, and both of models without weights in `results/`. What was not measured, or
what a model has not, is an empty cell.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import fields
from pathlib import Path
from typing import Any

import torch

from explorer.checkpoints.folder import SHIPPED
from explorer.evaluation.classifier import FOLDER, read_classifier
from explorer.files.regular import read_json
from explorer.models import ModelConfig, build
from explorer.training.presets import Recipe, TrainConfig, preset

TABLE = Path(__file__).with_suffix(".md")
RESULTS = Path(__file__).with_name("results")
COLUMNS = {
    "log_likelihood": ("log-likelihood", ",.1f"),
    "bits_per_dim": ("bits/dim", ".3f"),
    "mutual_information": ("mutual information", ".2f"),
    "marginal_kl": ("aggregate KL", ".2f"),
    "frechet_distance": ("Fréchet distance", ".1f"),
    "precision": ("precision", ".3f"),
    "recall": ("recall", ".3f"),
    "memorisation": ("memorisation", ".2f"),
    "probe_accuracy": ("linear probe", ".1%"),
    "knn_accuracy": ("nearest codes", ".1%"),
    "mig": ("MIG", ".3f"),
    "disentanglement": ("disentanglement", ".3f"),
    "completeness": ("completeness", ".3f"),
    "informativeness": ("informativeness", ".3f"),
}
"""Names of measures, and how the table writes them; one that no model has is no column."""


def measured() -> dict[str, tuple[dict[str, Any], dict[str, Any]]]:
    """Config and metrics of each model by its name."""
    found = {f.name: (read_json(f / "config.json"), read_json(f / "metrics.json")) for f in SHIPPED.iterdir()}
    for file in RESULTS.glob("*.json"):
        stored = read_json(file)
        found[file.stem] = stored["config"], stored["metrics"]
    return found


def rows() -> list[dict[str, str]]:
    """A row a model, by column, those of one data set together."""
    found = [(config["dataset"]["name"], name, _row(name, config, of)) for name, (config, of) in measured().items()]
    return [row for _, _, row in sorted(found, key=lambda one: one[:2])]


def _row(name: str, config: dict[str, Any], metrics: dict[str, Any]) -> dict[str, str]:
    measures, data = metrics.get("measures", {}), config["dataset"]
    images = ", ".join(filter(None, (data["name"], data.get("only"))))
    with torch.device("meta"):
        latents = build(ModelConfig.from_json(config["model"])).latent
    row = {
        "model": f"`{name}`" + ("" if (SHIPPED / name).is_dir() else " †"),
        "family": config["model"]["family"],
        "data": images + (", binarised" if config["model"].get("binarise") else ""),
        "latents": f"{latents:,}",
        "likelihood": config["model"]["likelihood"],
        "ELBO": _number(metrics.get("elbo"), ",.1f"),
        **{title: _number(measures.get(name), form) for name, (title, form) in COLUMNS.items()},
        "k": _number(measures.get("k"), ","),
        "seed": str(config["seed"]),
        "training": f"{config['seconds']:,.0f} s" if "seconds" in config else "",
        "device": str(config.get("device", "")),
        "command": ", then ".join(f"`{line}`" for line in commands(config, f"runs/{name}")),
    }
    return row


def _number(value: float | None, form: str) -> str:
    return "" if value is None else format(value, form).replace("-", "−")


def commands(config: dict[str, Any], out: str) -> list[str]:
    """What trains the model again in a folder: a line, and one each time that it was trained on."""
    plan = config.get("plan", [])
    further = [sum(plan[: i + 1]) for i in range(1, len(plan))]
    return [
        f"{command(config)} --out {out}",
        *(f"python -m explorer train --resume {out} --epochs {epochs}" for epochs in further),
    ]


def command(config: dict[str, Any]) -> str:
    """What trains the model again, as far as it was planned at first."""
    run = TrainConfig.of_checkpoint(config)
    words = ["python -m explorer train", "--preset", run.preset]
    if run.dataset != preset(run.preset).dataset:
        words += ["--dataset", str(run.dataset)]
    if run.only is not None:
        words += ["--only", shlex.quote(run.only)]
    changes = dict(run.settings)
    epochs = run.plan[0] if run.plan else run.epochs
    if epochs != preset(run.preset).recipe.epochs:
        changes["epochs"] = epochs
    for field in fields(Recipe):
        if field.name not in changes:
            continue
        option, value = field.name.replace("_", "-"), changes[field.name]
        if isinstance(value, bool):
            words.append(f"--{option}" if value else f"--no-{option}")
        else:
            words += [f"--{option}", ",".join(map(str, value)) if isinstance(value, tuple) else str(value)]
    if run.seed:
        words += ["--seed", str(run.seed)]
    return " ".join(words + (["--half"] if run.half else []))


def table(found: list[dict[str, str]]) -> str:
    """A table in Markdown, of the columns that have something to show."""
    titles = [title for title in found[0] if any(row[title] for row in found)]
    lines = [titles, ["---"] * len(titles), *([row[title] for title in titles] for row in found)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def classifiers() -> list[dict[str, str]]:
    """A row for each classifier."""
    found = []
    for file in sorted(Path(str(FOLDER)).glob("*.safetensors")):
        trained = read_classifier(file)
        about = trained.about
        found.append(
            {
                "data": file.stem,
                "images": " x ".join(map(str, trained.network.image_shape[1:])),
                "training images": f"{about['train_images']:,}",
                "test images": f"{about['test_images']:,}",
                "accuracy": f"{about['accuracy']:.1%}",
                "Fréchet distance of training from test images": f"{about['frechet_distance']:.1f}",
                "epochs": str(about["epochs"]),
                "size": f"{file.stat().st_size / 1000:,.0f} kB",
            }
        )
    return found


def text() -> str:
    """The page."""
    usage = re.search(r"    python.*?(?=\n\n)", str(__doc__), re.S)
    assert usage is not None
    return f"""# Families and measures

Each model that ships, and some whose weights do not (†; their settings and figures are in [results](results)), with
what was measured of it on its test set. [What the numbers mean](../docs/measures.md). ELBO, log-likelihood and
information are nats an image; *k* is the number of draws for the log-likelihood, and *training* is wall-clock time on
a shared machine. An empty cell was not measured, or is nothing that this model has. Likelihoods can be compared among
rows of the same data and the same kind of likelihood only, Fréchet distances among rows of the same data.

{table(rows())}

The classifiers in whose features samples are compared with test images (`python -m benchmarks classifiers`):

{table(classifiers())}

```sh
{re.sub(r"^    ", "", usage[0], flags=re.M)}
```
"""


def main() -> None:
    """Writes the page."""
    TABLE.write_text(text(), "utf-8")
    print(TABLE)


if __name__ == "__main__":
    main()
