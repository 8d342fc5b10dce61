"""Are deeper plain nets harder to train, and residual ones not? Measured, with a figure.

He, Zhang, Ren and Sun, "Deep residual learning for image recognition" (2016), section 4.2, on a
small scale: their nets of depth 20 and 56, with and without shortcuts, trained alike on the digits
that come with the package, at 14 x 14 pixels. Every finished run is kept in a file at once; a
second call goes on from there.

    python examples/plain_vs_residual.py --folder docs     # some ten minutes on two idle cores
    python examples/plain_vs_residual.py --quick           # seconds, and says nothing about depth
"""

import json
from pathlib import Path
from statistics import mean
from time import perf_counter
from typing import Annotated, Any

import typer
from rich.progress import track

import gpuconv as gcv
from gpuconv.benchmarks.cpu_vs_peers.machine import machine
from gpuconv.data import ArrayDataset
from gpuconv.errors import OptionError
from gpuconv.models.cifar_resnet import cifar_net
from gpuconv.training.checkpoint import replace_file

NAME = "plain_vs_residual"
FULL = {"depths": [20, 56], "seeds": 3, "epochs": 5, "images": 3000, "batch_size": 64, "lr": 0.05}
QUICK = FULL | {"depths": [8, 14], "seeds": 1, "epochs": 1, "images": 128, "batch_size": 32}
KINDS = ("plain", "residual")
Run = dict[str, Any]


def digits(split: str, count: int) -> ArrayDataset:
    """The first ``count`` digits, each pixel the mean of four."""
    data = gcv.data.mnist(split)
    small = data.images[:count].reshape(-1, 14, 2, 14, 2, 1).mean((2, 4)).round().astype("uint8")
    return ArrayDataset("digits at 14 x 14", small, data.labels[:count], data.classes)


def train(kind: str, depth: int, seed: int, settings: dict[str, Any]) -> Run:
    """Train one net; errors are shares of wrong answers, ``curve`` the training's own by epoch."""
    net = cifar_net(depth, is_residual=kind == "residual", in_channels=1).initialize(seed)
    net.mean, net.std = (0.1307,), (0.3081,)
    data, batch_size = digits("train", settings["images"]), settings["batch_size"]
    steps = settings["epochs"] * -(-len(data) // batch_size)
    rate = gcv.schedules.cosine(settings["lr"], steps)
    optimizer = gcv.SGD(net.parameters(), rate, momentum=0.9, weight_decay=1e-4)
    run: Run = {"kind": kind, "depth": depth, "seed": seed, "curve": [], "losses": []}

    def note(state: Any) -> None:
        if state.event == "epoch":
            run["curve"].append(round(1 - state.accuracy, 5))
        else:
            run["losses"].append((state.step, round(state.loss, 5)))

    start = perf_counter()
    trainer = gcv.Trainer(net, optimizer, seed=seed, callbacks=[note])
    trainer.fit(data, settings["epochs"], batch_size)
    for name, part in (("train_error", data), ("test_error", digits("test", 1000))):
        run[name] = round(1 - trainer.evaluate(part).accuracy, 5)
    return run | {"seconds": round(perf_counter() - start, 1)}


def started(path: Path, settings: dict[str, Any]) -> dict[str, Any]:
    """What a call before this one has measured; raises OptionError if its settings were others."""
    if not path.exists():
        return {"machine": machine(), "settings": settings, "runs": []}
    found: dict[str, Any] = json.loads(path.read_text())
    if found["settings"] != settings:
        raise OptionError(f"{path}: has runs with other settings; name another --folder")
    return found


def written(record: dict[str, Any]) -> bytes:
    """The file's text: a line for each run."""
    head = json.dumps({key: value for key, value in record.items() if key != "runs"}, indent=1)
    runs = ",\n  ".join(map(json.dumps, record["runs"]))
    return f'{head[:-2]},\n "runs": [\n  {runs}\n ]\n}}\n'.encode()


def measure(path: Path, settings: dict[str, Any]) -> list[Run]:
    """Every run that the settings ask for; those that the file has are not made again."""
    record = started(path, settings)
    runs: list[Run] = record["runs"]
    done = {(run["kind"], run["depth"], run["seed"]) for run in runs}
    seeds, depths = range(settings["seeds"]), settings["depths"]
    wanted = [(kind, depth, seed) for seed in seeds for depth in depths for kind in KINDS]
    for which in track([w for w in wanted if w not in done], "training", transient=True):
        runs.append(train(*which, settings))
        replace_file(path, written(record))
        print(told(runs[-1]))
    return runs


def told(run: Run) -> str:
    """A line about a run."""
    errors = f"training error {run['train_error']:.2%}, test error {run['test_error']:.2%}"
    return f"{run['kind']} {run['depth']}, seed {run['seed']}: {errors} ({run['seconds']:.0f} s)"


def verdict(runs: list[Run], kind: str) -> str:
    """How the deeper net of this kind trained, beside the shallower one."""
    shallow, deep = sorted({run["depth"] for run in runs})
    errors = {
        depth: [r["train_error"] for r in runs if (r["kind"], r["depth"]) == (kind, depth)]
        for depth in (shallow, deep)
    }
    pairs = zip(errors[shallow], errors[deep], strict=True)
    worse = sum(below < above for below, above in pairs)
    means = [f"{depth} layers {mean(found):.2%}" for depth, found in errors.items()]
    count = len(errors[deep])
    return f"{kind}: training error {', '.join(means)}; deeper is worse in {worse} of {count} seeds"


def draw(runs: list[Run], path: Path) -> None:
    """Training loss over the steps, a thin line for every run; plain nets left, residual right."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.6), layout="constrained")
    axes = figure.subplots(1, 2, sharey=True)
    depths = sorted({run["depth"] for run in runs})
    for run in runs:
        axis, place = axes[KINDS.index(run["kind"])], depths.index(run["depth"])
        label = f"{run['depth']} layers" if run["seed"] == 0 else None
        axis.plot(*zip(*run["losses"], strict=True), f"C{place}", linewidth=0.9, label=label)
    for axis, kind in zip(axes, KINDS, strict=True):
        axis.set(title=kind, xlabel="step", yscale="log")
        axis.legend()
    axes[0].set_ylabel("training loss")
    figure.savefig(path, dpi=110)


def main(
    quick: Annotated[
        bool, typer.Option(help="nets and data so small that it takes seconds")
    ] = False,
    folder: Annotated[Path, typer.Option(help="where the runs and the figure go")] = Path("runs"),
) -> None:
    """Measure what is not measured yet, draw the figure, and say what came out."""
    settings, name = (QUICK, f"{NAME}_quick") if quick else (FULL, NAME)
    folder.mkdir(parents=True, exist_ok=True)
    runs = measure(folder / f"{name}.json", settings)
    draw(runs, folder / f"{name}.png")
    for kind in KINDS:
        print(verdict(runs, kind))


if __name__ == "__main__":
    typer.run(main)
