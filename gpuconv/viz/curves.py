"""How runs went, on one page: loss, test accuracy, learning rate.

Every colour can be read on white and on a dark page, and behind them nothing is drawn.
"""

import os
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from .._files import replace_file
from ..errors import OptionError
from ..training.checkpoint import Run
from ..training.history import History, history

INK = "#768390"
LINES = ("#3b82d6", "#d9622b", "#2a9d5c", "#b05fc4", "#a8862a", "#d6547a")
STYLES = ("-", "--", ":", "-.")
FORMATS = (".svg", ".png")
MARKED = 40  # points, up to which each is a dot

# Points of a panel's curves at most: of noisy ones few enough to see one behind another.
PANELS = (
    ("loss", "training loss", 80),
    ("test_accuracy", "test accuracy", 400),
    ("lr", "learning rate", 400),
)
_STYLE: Any = {
    **dict.fromkeys(("text.color", "axes.labelcolor", "xtick.color", "ytick.color"), INK),
    **dict.fromkeys(("axes.edgecolor", "grid.color", "legend.labelcolor"), INK),
    "svg.fonttype": "none",  # words stay words
    "font.size": 9,
}


def thinned(curve: Sequence[tuple[int, float]], points: int) -> tuple[np.ndarray, ...]:
    """Mean steps, means, least and greatest values of a curve in at most so many parts."""
    parts = np.array_split(np.asarray(curve, np.float64), min(points, len(curve)))
    columns = (
        (part[:, 0].mean(), part[:, 1].mean(), part[:, 1].min(), part[:, 1].max()) for part in parts
    )
    return tuple(np.array(list(columns)).T)


def plot(folders: Sequence[str | os.PathLike], picture: str | os.PathLike) -> None:
    """Draw the runs into an SVG or PNG file, as its ending says.

    Raises OptionError for another ending, no run, or where matplotlib is missing; RunError for a
    folder that is no run, or a file that cannot be written.
    """
    path = Path(picture)
    if path.suffix not in FORMATS:
        raise OptionError(f"plot: {path} is neither .svg nor .png; give a name that ends so")
    if not folders:
        raise OptionError("plot: there is no run to draw; give one run folder or more")
    runs = [Run.open(folder) for folder in folders]
    went = {str(run.folder): history(run) for run in runs}
    replace_file(path, _drawn(went, path.suffix[1:]))


def _drawn(went: dict[str, History], kind: str) -> bytes:
    try:
        from matplotlib import rc_context
        from matplotlib.figure import Figure
    except ImportError:
        raise OptionError("plot: pictures need matplotlib; pip install 'gpuconv[plot]'") from None
    with rc_context(_STYLE):
        figure = Figure(figsize=(8, 7.5), layout="constrained")
        axes = figure.subplots(len(PANELS), sharex=True, height_ratios=(2, 1.4, 1))
        for axis, (name, title, points) in zip(axes, PANELS, strict=True):
            _panel(axis, title, [getattr(each, name) for each in went.values()], points)
        figure.align_ylabels(axes)
        axes[-1].set_xlabel("step")
        handles = axes[0].get_lines()
        figure.legend(handles, list(went), loc="outside upper left", ncols=3, frameon=False)
        written = BytesIO()
        figure.savefig(written, format=kind, dpi=110, transparent=True)
    return written.getvalue()


def _panel(axis: Any, title: str, curves: list[list[tuple[int, float]]], points: int) -> None:
    for number, curve in enumerate(curves):
        style = STYLES[number // len(LINES) % len(STYLES)]
        _line(axis, curve, points, color=LINES[number % len(LINES)], linestyle=style)
    values = [value for curve in curves for _, value in curve]
    if not values:
        axis.text(0.5, 0.5, "not measured", ha="center", va="center", transform=axis.transAxes)
    elif title == PANELS[0][1] and min(values) > 0:
        axis.set_yscale("log")
    axis.set_ylabel(title)
    axis.grid(alpha=0.25, linewidth=0.6)
    axis.spines[["top", "right"]].set_visible(False)


def _line(axis: Any, curve: list[tuple[int, float]], points: int, **look: str) -> None:
    if not curve:
        axis.plot([], [], **look)
        return
    steps, mean, low, high = thinned(curve, points)
    marker = "o" if len(mean) < MARKED else ""
    axis.plot(steps, mean, linewidth=1.6, marker=marker, markersize=3.5, **look)
    if len(curve) > points:
        axis.fill_between(steps, low, high, color=look["color"], alpha=0.15, linewidth=0)
