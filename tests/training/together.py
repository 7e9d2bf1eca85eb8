"""What torchrun starts in tests: `together.py FOLDER RUNS STEPS` trains runs and takes steps, by all processes."""

import copy
import json
import sys
from pathlib import Path

import torch
import torch.distributed as dist

from explorer.models.evaluation import to_float
from explorer.models.whole_batch import WholeBatch, average_gradients
from explorer.training import processes
from explorer.training.experiment import Experiment
from explorer.training.lifecycle import train
from explorer.training.loop import make_step
from explorer.training.presets import TrainConfig


def step(config, count):
    """Gradients and buffers after a run's first step, on 101 images of noise, by so many processes."""
    run = Experiment.start(Path(), config)
    images = torch.randint(256, (101, *run.train_set.image_shape), generator=torch.Generator().manual_seed(1))
    model = copy.deepcopy(run.model)
    with WholeBatch(len(images), dist.get_rank() % count, count) as batch:
        x = to_float(images[batch.mine].byte(), run.device)
        model.terms(x, torch.Generator().manual_seed(3)).loss().backward()
        if count > 1:
            average_gradients(model)
    return {
        "gradient": torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None]),
        **{name: buffer.double() for name, buffer in model.named_buffers()},
    }


def difference(config):
    """How far the step of all processes is from that of one, as shares of the largest number; all in float64."""
    single = torch.Tensor.float
    try:
        torch.set_default_dtype(torch.float64)
        torch.Tensor.float = torch.Tensor.double
        alone, together = step(config, 1), step(config, dist.get_world_size())
    finally:
        torch.set_default_dtype(torch.float32)
        torch.Tensor.float = single
    return {k: float((together[k] - alone[k]).abs().max() / alone[k].abs().max().clamp(min=1)) for k in alone}


if __name__ == "__main__":
    torch.set_num_threads(1)
    folder = Path(sys.argv[1])
    runs, steps = ({k: TrainConfig.from_json(v) for k, v in json.loads(text).items()} for text in sys.argv[2:])
    with processes.join("the same") as leads:
        far = {name: difference(config) for name, config in steps.items()}
        if leads:
            (folder / "steps.json").write_text(json.dumps(far))
            for name, config in runs.items():
                train(config, folder / name, resume=(folder / name).exists())
        else:
            processes.follow(make_step, None)
