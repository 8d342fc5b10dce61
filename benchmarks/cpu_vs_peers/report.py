"""Tables of the results, in Markdown."""

from collections.abc import Iterable
from typing import Any

from ..ladder import table
from .nets import BASELINE, OURS, TORCH

BEST = "best torch"
LAYER_BOUND = 0.9


def nets(rows: Iterable[dict[str, Any]]) -> str:
    """A line for every whole net."""
    heads = [
        *("work", "ms", "torch NCHW", "torch NHWC", "ratio", "at least", "onnxruntime", "numpy"),
        *("of the FMA peak", "MiB", "torch MiB", "loss", "torch's"),
    ]
    return table(heads, map(_net, rows))


def _net(row: dict[str, Any]) -> tuple[object, ...]:
    ratios, losses, memory = row["ratios"], row["losses"], row["peak_bytes"]
    torch = next((losses[name] for name in TORCH if name in losses), None)
    held = [memory[name] for name in TORCH if memory.get(name)]
    return (
        row["work"],
        *(_milliseconds(row["seconds"].get(name)) for name in (OURS, *TORCH)),
        _ratio(ratios.get(BEST)),
        _ratio(row["wanted"]),
        _ratio(ratios.get("onnxruntime")),
        _ratio(ratios.get(BASELINE)),
        f"{100 * row['share_of_peak']:.0f} %",
        _mebibytes(memory.get(OURS)),
        _mebibytes(min(held, default=None)),
        _loss(losses.get(OURS)),
        _loss(torch),
    )


def layers(rows: Iterable[dict[str, Any]]) -> str:
    """A line for every layer and pass; what is below the bound is marked."""
    heads = ("layer", "pass", "ms", "torch NCHW", "torch NHWC", "ratio", "GFLOP/s")
    return table(heads, map(_layer, rows), texts=2)


def _layer(row: dict[str, Any]) -> tuple[object, ...]:
    ratio, seconds = row["ratios"].get(BEST), row["seconds"]
    mark = " (loses)" if ratio is not None and ratio < LAYER_BOUND else ""
    return (
        row["layer"],
        row["pass"],
        *(_milliseconds(seconds.get(name)) for name in (OURS, *TORCH)),
        f"{_ratio(ratio)}{mark}",
        f"{row['flops'] / seconds[OURS]['median'] / 1e9:.0f}" if row["flops"] else "",
    )


def _milliseconds(timing: dict[str, float] | None) -> str:
    if timing is None:
        return "-"
    shown = f"{1e3 * timing['median']:.3g}"
    return f"{shown} ({1e3 * timing['shortest']:.3g} .. {1e3 * timing['longest']:.3g})"


def _ratio(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def _mebibytes(value: float | None) -> str:
    return "-" if value is None else f"{value / 2**20:.0f}"


def _loss(value: float | None) -> str:
    return "-" if value is None else f"{value:.5f}"
