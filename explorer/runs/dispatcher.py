"""Hands runs that wait to a Ray cluster: `python -m explorer.runs.dispatcher`, started by `explorer.runs.cluster`.

A run is an actor by the name of its folder, which holds its CPUs and GPU and watches over its process, the same worker
as on one computer. It stays queued until its process has begun. All that is known of it is in its folder, on a file
system that all nodes share.
"""

from __future__ import annotations

import contextlib
import os
import socket
import sys
import time
from collections import Counter
from importlib import import_module
from typing import Any

from explorer.errors import RunError
from explorer.files.locks import lock
from explorer.files.regular import append_regular
from explorer.runs import cluster
from explorer.runs.listing import RunInfo, active, attempt_line
from explorer.runs.queue import locked_queue
from explorer.training.run_folder import RunFiles
from explorer.training.run_state import RunState

_NAMESPACE = "latent-explorer"
_ATTEMPTS = 3  # at starting a run, before it has failed
_SECONDS = 1.0  # between two looks


def main() -> int:
    """Dispatches until no run waits for the cluster; returns the exit code."""
    cluster.folder().mkdir(parents=True, exist_ok=True)
    held = lock(cluster.folder(), wait=0.0)
    if held is None:
        return 0
    with held:
        attempts: Counter[str] = Counter()
        asked: dict[str, tuple[Any, Any]] = {}
        try:
            ray, cpus = connected(), cpus_of_a_run()
            while any(_waits(info) for info in active()):
                with contextlib.suppress(RunError), locked_queue():  # somebody else is at the queue
                    hand_over(ray, cpus, attempts, asked)
                time.sleep(_SECONDS)
        except Exception as error:  # Ray's have no class in common
            said = str(error) if isinstance(error, RunError) else f"The Ray cluster was lost ({_reason(error)})."
            for info in active():
                if _waits(info):
                    RunFiles(info.path).change_status(RunState.QUEUED, message=said)
            print(said, file=sys.stderr)
            return 1
    return 0


def connected(*, or_here: bool = False, **environment: str) -> Any:
    """Ray, connected to the cluster. Raises RunError, one sentence, where that cannot be.

    Args:
        or_here: where no cluster is named one of this computer will do, which ends with the process.
        environment: more variables of the processes that Ray starts.
    """
    place = cluster.address()
    if not (place or or_here):
        raise RunError("It waits for a Ray cluster: start the app with EXPLORER_RAY, its address.")
    try:
        ray = import_module("ray")
    except ImportError:
        raise RunError("Ray is not installed: pip install -r requirements-ray.txt.") from None
    try:
        host, _, port = place.rpartition("/")[2].rpartition(":")
        if port.isdecimal():  # Ray would try for minutes
            socket.create_connection((host, int(port)), timeout=10).close()
        known = {"PYTHONPATH": cluster.environment()["PYTHONPATH"], **environment}
        ray.init(
            address=place or "local",
            namespace=_NAMESPACE,
            log_to_driver=False,
            logging_level="ERROR",
            runtime_env={"env_vars": known} if environment else None,
            **({} if place else {"include_dashboard": False}),
        )
    except Exception as error:
        raise RunError(f"The Ray cluster {place} cannot be reached ({_reason(error)}).") from error
    return ray


def room(ray: Any, cpus: float, gpus: float = 0) -> int:
    """How many of what takes so many CPUs and GPUs the nodes of a cluster could hold if they did nothing else."""
    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    return sum(min(int(n.get(k, 0) // v) for k, v in (("CPU", cpus), ("GPU", gpus)) if v) for n in nodes)


def cpus_of_a_run() -> float:
    """How many CPUs of a node a run takes. Raises RunError."""
    text = os.environ.get("EXPLORER_RAY_CPUS", "1")
    try:
        if (cpus := float(text)) > 0:
            return cpus
    except ValueError:
        pass
    raise RunError(f"EXPLORER_RAY_CPUS is the CPUs that a run takes, such as 4, not {text!r}.")


def lack(ray: Any, cpus: float, gpus: float) -> str:
    """Says what a cluster lacks on which there is no `room`."""
    if gpus and not ray.cluster_resources().get("GPU"):
        return "The Ray cluster has no GPU: choose the device cpu."
    what = f"{cpus:g} {'CPU' if cpus == 1 else 'CPUs'}{' and a GPU' if gpus else ''}"
    return f"No node of the Ray cluster has {what}: start another node, or set EXPLORER_RAY_CPUS to less."


def hand_over(ray: Any, cpus: float, attempts: Counter[str], asked: dict[str, tuple[Any, Any]]) -> None:
    """Makes actors of the runs that are next, as many as the cluster has room for.

    Args:
        ray: connected.
        cpus: what a run takes of a node.
        attempts: how often each run was handed over by this process; it counts up here.
        asked: of those the actor, and what it will answer to what keeps it from work; None, and what it has answered.
    """
    there = ray.cluster_resources()
    actors = {found["name"] for found in ray.util.list_named_actors(all_namespaces=True)}
    most = {"CPU": room(ray, cpus), "GPU": room(ray, cpus, 1)}
    free = dict(most)
    runs = [info for info in active() if cluster.on_cluster(info.device)]
    waiting = {str(info.path.absolute()) for info in runs if _waits(info)}
    for name in {*attempts, *asked} - waiting:  # it has begun; once it waits again it is tried as often as others
        del attempts[name]
        asked.pop(name, None)
    for info in runs:
        free[_kind(info, there)] -= str(info.path.absolute()) in actors
    for info in runs:
        kind, name = _kind(info, there), str(info.path.absolute())
        if not _waits(info):
            continue
        said = _problem(ray, asked, name) or ("" if most[kind] else lack(ray, cpus, float(kind == "GPU")))
        if said and said != info.message:
            RunFiles(info.path).change_status(RunState.QUEUED, message=said)
        if name in actors or not most[kind]:
            continue
        if attempts[name] == _ATTEMPTS:
            message = said or "The cluster ended its process before it began: the log says why."
            RunFiles(info.path).change_status(RunState.FAILED, message=message, progress=None)
        elif free[kind] >= 1:
            attempts[name] += 1
            free[kind] -= 1
            actor = _start(ray, info, {"num_cpus": cpus, "num_gpus": float(kind == "GPU")})
            asked[name] = actor, actor.problem.remote()


def _problem(ray: Any, asked: dict[str, tuple[Any, Any]], name: str) -> str:
    """Why a run's last actor could not work, as far as it has answered; such an actor is ended."""
    actor, answer = asked.get(name, (None, ""))
    if actor is None:
        return str(answer)
    if not ray.wait([answer], timeout=0)[0]:
        return ""
    asked[name] = None, ""
    with contextlib.suppress(Exception):  # it has ended, which is seen
        if said := ray.get(answer):
            asked[name] = None, said
            ray.kill(actor)
    return str(asked[name][1])


def _reason(error: Exception) -> str:
    said = error.strerror if isinstance(error, OSError) and error.strerror else str(error).strip().split("\n")[0]
    return said or type(error).__name__


def _waits(info: RunInfo) -> bool:
    return info.state is RunState.QUEUED and cluster.on_cluster(info.device)


def _kind(info: RunInfo, there: dict[str, float]) -> str:
    asked = info.config.device
    return "GPU" if asked.startswith("cuda") or (asked == "auto" and there.get("GPU")) else "CPU"


def _start(ray: Any, info: RunInfo, resources: dict[str, float]) -> Any:
    files = RunFiles(info.path)
    with append_regular(files.log) as log:
        log.write(attempt_line())
    own = {k: v for k, v in cluster.environment().items() if k.startswith("EXPLORER_") or k == "PYTHONPATH"}
    if not resources["num_gpus"]:
        own["CUDA_VISIBLE_DEVICES"] = ""
    made = ray.remote(_watcher()).options(
        name=str(info.path.absolute()), lifetime="detached", max_restarts=0, **resources
    )
    return made.remote(str(info.path.absolute()), str(files.log.absolute()), os.getcwd(), own)


def _watcher() -> type:
    """The actor, which needs nothing of ours, since a class within a function travels as it is."""

    class Watcher:
        def __init__(self, path: str, log: str, folder: str, environment: dict[str, str]) -> None:
            import os
            import socket
            import subprocess
            import sys
            import threading

            self.said = ""
            if not os.path.isdir(path):
                self.said = (
                    f"{path} is not there on {socket.gethostname()}: the runs folder has to lie on a file system that "
                    "all nodes share."
                )
                return
            with open(log, "ab") as out:
                process = subprocess.Popen(  # noqa: S603 - our own module, and a folder whose name is a slug
                    [sys.executable, "-P", "-m", "explorer.runs.worker", path],
                    stdin=subprocess.DEVNULL,
                    stdout=out,
                    stderr=subprocess.STDOUT,
                    cwd=folder if os.path.isdir(folder) else None,
                    env={**os.environ, **environment, "EXPLORER_RUN_WATCHED": "1"},
                )

            def end() -> None:
                process.wait()
                os._exit(0)

            threading.Thread(target=end, daemon=True).start()

        def problem(self) -> str:
            return self.said

    return Watcher


if __name__ == "__main__":
    sys.exit(main())
