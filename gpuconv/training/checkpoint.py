"""Weights on disk (safetensors), and the run folder that holds everything of one training."""

import json
import os
import platform
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from .. import device as devices
from .. import models, plans, weights
from .._files import replace_file, unwritable
from .._version import __version__
from ..data.preprocessing import KEY, Preprocessing
from ..errors import OptionError, RunError, StateError
from ..graph import Graph
from ..layers import Layer
from ..weights.response import ResponseNorm
from .optimizers import Optimizer
from .recipe import Recipe, parse

WEIGHTS, SETTINGS, METRICS = "model.safetensors", "run.json", "metrics.jsonl"
CHECKPOINT, PLAN = "checkpoint.safetensors", "plan.json"


def save_weights(path: str | os.PathLike, net: Layer) -> None:
    """Write every parameter and buffer to a safetensors file, whole or not at all.

    Raises RunError if the file cannot be written.
    """
    _save_arrays(Path(path), net.state_dict())


def _save_arrays(path: Path, arrays: Mapping[str, Any]) -> None:
    from safetensors.numpy import save

    host = {name: np.asarray(devices.to_numpy(a), order="C") for name, a in arrays.items()}
    replace_file(path, save(host))


def load_weights(path: str | os.PathLike) -> dict[str, np.ndarray]:
    """Read a safetensors file; raises StateError if it is missing, damaged or not for NumPy."""
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        found = dict(load_file(os.fspath(path)))
        for name, array in found.items():
            if array.dtype.kind not in "fiub":  # bfloat16, where the package ml_dtypes is there
                raise TypeError(f"{name} is {array.dtype}")
        return found
    except FileNotFoundError:
        raise StateError(f"{path}: there is no such file; expected saved weights") from None
    # The last two: dtypes that NumPy has not, such as bfloat16.
    except (SafetensorError, OSError, ValueError, TypeError, AttributeError) as error:
        raise StateError(f"{path}: not a readable safetensors file ({error})") from None


def versions() -> dict[str, str]:
    """What the bits of a run depend on; NumPy's products also on how many threads its BLAS has."""
    blas = np.show_config("dicts")["Build Dependencies"]["blas"]
    threads = os.environ.get("OPENBLAS_NUM_THREADS") or os.cpu_count()
    return {
        "gpuconv": __version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "blas": f"{blas.get('name')} {blas.get('version')}",
        "blas_threads": str(threads),
    }


class Run:
    """A run folder: ``run.json`` (settings, versions, figures), ``metrics.jsonl``, weights.

    And ``plan.json``, the kernels that it took; until it is done, also ``checkpoint.safetensors``:
    what training goes on from.
    """

    def __init__(self, folder: Path, info: dict[str, Any]) -> None:
        self.folder, self.info = folder, info

    @staticmethod
    def require_free(folder: str | os.PathLike) -> None:
        """Raise RunError if something is there already: a run is never overwritten."""
        if os.path.lexists(folder):
            raise RunError(
                f"{folder}: this run folder exists already and is not overwritten; choose another "
                "--out, or remove it"
            )

    @classmethod
    def create(cls, folder: str | os.PathLike, info: dict[str, Any]) -> "Run":
        """A new folder; raises RunError, touching nothing, if something is there already."""
        path = Path(folder)
        cls.require_free(path)
        try:
            path.mkdir(parents=True)
        except OSError as error:
            raise RunError(f"{path}: cannot make the run folder ({error.strerror})") from None
        started = datetime.now(UTC).isoformat(timespec="seconds")
        run = cls(path, {"status": "running", "started": started, "versions": versions(), **info})
        run.write()
        return run

    @classmethod
    def open(cls, folder: str | os.PathLike) -> "Run":
        """An existing folder; raises RunError if it is missing or damaged."""
        path = Path(folder)
        try:
            info = json.loads((path / SETTINGS).read_text())
        except FileNotFoundError:
            raise RunError(
                f"{path}: no run here ({SETTINGS} is missing); give a folder of gpuconv train"
            ) from None
        except (OSError, ValueError) as error:
            raise RunError(f"{path / SETTINGS}: cannot be read ({error})") from None
        if not isinstance(info, dict) or not {"model", "data", "classes"} <= set(info):
            raise RunError(
                f"{path / SETTINGS}: has no model, data or classes; not a run of gpuconv train"
            )
        return cls(path, info)

    def write(self, **changes: Any) -> None:
        """Change entries of run.json; raises RunError if it cannot be written."""
        self.info.update(changes)
        replace_file(self.folder / SETTINGS, (json.dumps(self.info, indent=2) + "\n").encode())

    def log(self, record: dict[str, Any]) -> None:
        """Add a line to metrics.jsonl; raises RunError if it cannot be written."""
        try:
            with open(self.folder / METRICS, "a") as file:
                file.write(json.dumps(record) + "\n")
        except OSError as error:
            raise unwritable(self.folder / METRICS, error) from None

    def save(self, net: Layer) -> None:
        """Write the weights, with how images are prepared; raises RunError if that fails."""
        said = {}
        if hasattr(net, "input_shape"):
            prepare = Preprocessing.of(net, classes=tuple(self.info["classes"]))
            said[KEY] = prepare.dumps()
        weights.save(self.folder / WEIGHTS, net, metadata=said)

    def checkpoint(self, net: Layer, optimizer: Optimizer) -> None:
        """Write the net's and the optimiser's state, and what is frozen, whole or not at all.

        Raises RunError if it cannot be written.
        """
        frozen = dict.fromkeys(net.frozen_names(), np.ones((), np.uint8))
        parts = {"net": net.state_dict(), "optimizer": optimizer.state_dict(), "frozen": frozen}
        arrays = {f"{part}/{n}": a for part, state in parts.items() for n, a in state.items()}
        _save_arrays(self.folder / CHECKPOINT, arrays)

    def plan(self) -> plans.Plan:
        """The kernels that were taken so far; none in a run that has not kept any."""
        path = self.folder / PLAN
        return plans.load(path) if path.is_file() else plans.Plan(where=str(path))

    def keep_plan(self, plan: plans.Plan) -> None:
        """Write the kernels that were taken; raises RunError if they cannot be written."""
        replace_file(self.folder / PLAN, plans.text(plan).encode())

    @property
    def has_checkpoint(self) -> bool:
        """Whether there is a state that training goes on from."""
        return (self.folder / CHECKPOINT).exists()

    def restore(self, net: Layer, optimizer: Optimizer) -> None:
        """Put the last checkpoint's state back; without a checkpoint, change nothing.

        Raises StateError, or the optimiser's OptionError, if it is damaged or of something else.
        """
        path = self.folder / CHECKPOINT
        if not self.has_checkpoint:
            return
        parts: dict[str, dict[str, np.ndarray]] = {
            name: {} for name in ("net", "optimizer", "frozen")
        }
        for name, array in load_weights(path).items():
            part, _, own = name.partition("/")
            if part not in parts:
                raise StateError(f"{path}: holds {name!r}, which no checkpoint does")
            parts[part][own] = array
        net.load_state_dict(parts["net"])
        net.set_frozen(parts["frozen"])
        optimizer.load_state_dict(parts["optimizer"])

    def drop_checkpoint(self) -> None:
        """Remove the checkpoint of a run that is done."""
        (self.folder / CHECKPOINT).unlink(missing_ok=True)

    def cut_log(self, step: int) -> None:
        """Leave out what metrics.jsonl says of later steps, and a line that was cut short."""
        path, kept = self.folder / METRICS, []
        if not path.exists():
            return
        for line in path.read_text(errors="replace").splitlines():
            try:
                record = json.loads(line)
            except ValueError:
                break
            if record["step"] <= step:
                kept.append(line + "\n")
        replace_file(path, "".join(kept).encode())

    def recipe(self) -> Recipe | None:
        """The recipe that the net is trained by, as it was then; raises RunError if it is none."""
        said = self.info.get("recipe")
        try:
            return None if said is None else parse(said, "recipe")
        except OptionError as error:
            raise RunError(f"{self.folder / SETTINGS}: {error}") from None

    def net(self, device: str = "cpu") -> Graph:
        """The trained net; raises StateError or RunError if it cannot be read."""
        kept, settings = self.info["model"], self.folder / SETTINGS
        try:
            net = models.create(kept["name"], kept["num_classes"], kept["dropout"])
            names = len(self.info["classes"])
        except (KeyError, TypeError, OptionError) as error:
            raise RunError(f"{settings}: the model cannot be made from it ({error!r})") from None
        self.put_form_on(net)
        if names != kept["num_classes"]:
            raise RunError(f"{settings}: names {names} classes, the model has another number")
        net.load_state_dict(load_weights(self.folder / WEIGHTS))
        return net.to(device)

    def put_form_on(self, net: Layer) -> None:
        """Let the net take images, and normalise responses, as in this run; raises RunError."""
        self.preprocessing().put_on(net)
        said, where = self.info["model"].get("lrn"), str(self.folder / SETTINGS)
        try:
            if said is not None:
                ResponseNorm(**said).put_on(net, where)
        except (TypeError, OptionError) as error:
            raise RunError(f"{where}: the model cannot be made from it ({error!r})") from None

    def preprocessing(self) -> Preprocessing:
        """How images are prepared in this run; raises RunError if that cannot be read."""
        kept = self.info["model"]
        try:
            shape, mean, std = (tuple(kept[name]) for name in ("input_shape", "mean", "std"))
            said = {name: kept[name] for name in ("order", "resize") if name in kept}
            return Preprocessing(shape, mean, std, classes=tuple(self.info["classes"]), **said)
        except (KeyError, TypeError, OptionError) as error:
            raise RunError(
                f"{self.folder / SETTINGS}: images cannot be prepared as it says ({error!r})"
            ) from None


def next_folder(root: str | os.PathLike, stem: str) -> Path:
    """The first of root/stem-001, root/stem-002, ... that is not there."""
    number = 1
    while os.path.lexists(Path(root) / f"{stem}-{number:03d}"):
        number += 1
    return Path(root) / f"{stem}-{number:03d}"
