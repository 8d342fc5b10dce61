"""The host's side of implicit_gemm_pipelined: a pass as the kernels' Correlation, and its sizes."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from .._cuda import Launcher, ceil_div
from ._residues import axis_of
from .op import Conv2dProblem

SIDE = 32  # of a tile of the transposition
STEP = 16  # depths of a slab
CHUNK = 4  # floats in 16 bytes
MOST = 1 << 20  # lines and columns of a tile beyond the last one, and a slab's depths: less than so


class Size(NamedTuple):
    """Results of a block."""

    rows: int
    cols: int


class Axis(NamedTuple):
    """The fields of the kernels' Axis, in its order."""

    size: int
    results: int
    first: int
    step: int
    sources: int
    origin: int
    stride: int
    dilation: int
    taps: int
    tap: int
    tap_step: int


@dataclass(frozen=True)
class Correlation:
    """Outputs from inputs, or inputs' gradients of one pair of residues from outputs'.

    ``sources`` and ``results`` are channels of a group; ``n`` images.
    """

    problem: Conv2dProblem
    sources: int
    results: int
    down: Axis
    across: Axis
    transposed: bool = False

    @property
    def groups(self) -> int:
        """Of the convolution."""
        return self.problem.groups

    @property
    def padded_sources(self) -> int:
        """Channels of a group's sources, filled up to whole chunks."""
        return CHUNK * ceil_div(self.sources, CHUNK)

    @property
    def padded_results(self) -> int:
        """The same of its results."""
        return CHUNK * ceil_div(self.results, CHUNK)

    @property
    def lines(self) -> int:
        """Results of one channel, over all images."""
        return self.problem.n * self.down.results * self.across.results

    @property
    def depth(self) -> int:
        """Taps and channels that a result is a sum over."""
        return self.down.taps * self.across.taps * self.padded_sources

    @property
    def packed_source(self) -> int:
        """Elements of the sources, channels last."""
        pixels = self.problem.n * self.down.sources * self.across.sources
        return pixels * self.groups * self.padded_sources

    @property
    def packed_result(self) -> int:
        """Elements of the whole result, channels last."""
        pixels = self.problem.n * self.down.size * self.across.size
        return pixels * self.groups * self.padded_results

    @property
    def packed_weight(self) -> int:
        """Elements of the weights as [group][depth][result channel], in whole slabs."""
        return self.groups * STEP * ceil_div(self.depth, STEP) * self.padded_results

    @property
    def partial(self) -> int:
        """Elements of one slice of the weights' gradient."""
        return self.groups * self.results * self.depth

    def tiles(self, size: Size) -> int:
        """Blocks for the results."""
        return self.groups * ceil_div(self.lines, size.rows) * ceil_div(self.results, size.cols)

    def weight_tiles(self, size: Size) -> int:
        """Blocks for a slice of the weights' gradient."""
        return self.groups * ceil_div(self.results, size.rows) * ceil_div(self.depth, size.cols)

    @property
    def counts(self) -> tuple[int, ...]:
        """Bounds of the indices that the kernels work out, one image and a few taps beyond."""
        image = self.across.sources * self.groups * self.padded_sources
        taps = (self.down.taps + STEP) * abs(self.down.dilation) * image
        padded = self.packed_source + (self.down.sources + self.problem.r) * image
        return self.lines + MOST, padded, taps, self.packed_result, self.packed_weight + MOST

    def struct(self, run: Launcher, has_bias: bool = False) -> Any:
        """As the kernels' Correlation."""
        window = self.problem.r * self.problem.s
        pixel = self.groups * self.padded_sources
        taps = _digits(STEP, self.across.taps, self.padded_sources)
        places = _digits(STEP, self.down.results, self.across.results)
        filter_pitch = self.problem.cg * window
        pitches = (filter_pitch, window) if self.transposed else (window, filter_pitch)
        axes = {
            f"{way}_{name}": size
            for way, axis in (("down", self.down), ("across", self.across))
            for name, size in axis._asdict().items()
        }
        return run.struct(
            groups=self.groups,
            sources=self.sources,
            padded_sources=self.padded_sources,
            results=self.results,
            padded_results=self.padded_results,
            group_pitch=self.problem.kg * filter_pitch,
            source_pitch=pitches[0],
            result_pitch=pitches[1],
            s_count=self.problem.s,
            row_pitch=self.down.dilation * self.across.sources * pixel,
            col_pitch=self.across.dilation * pixel,
            has_bias=has_bias,
            relu=not self.transposed and self.problem.epilogue == "relu",
            **{f"taps_{i}": digit for i, digit in enumerate(taps)},
            **{f"positions_{i}": digit for i, digit in enumerate(places)},
            **axes,
        )


def _digits(number: int, down: int, across: int) -> tuple[int, int, int]:
    """The kernels' digits_of."""
    line, last = divmod(number, max(1, across))
    return (*divmod(line, max(1, down)), last)


def forward_of(problem: Conv2dProblem) -> Correlation:
    """The convolution itself."""
    sizes = ((problem.h, problem.r, problem.p), (problem.w, problem.s, problem.q))
    down, across = (
        Axis(outputs, outputs, 0, 1, inputs, -padding[0], stride, dilation, taps, 0, 1)
        for (inputs, taps, outputs), padding, stride, dilation in zip(
            sizes, problem.padding, problem.stride, problem.dilation, strict=True
        )
    )
    return Correlation(problem, problem.cg, problem.kg, down, across)


def gradients_of(problem: Conv2dProblem) -> Iterator[Correlation]:
    """The data gradient: a correlation for each pair of residues."""
    for row in range(problem.stride[0]):
        for col in range(problem.stride[1]):
            down, across = _gradient_axis(problem, 0, row), _gradient_axis(problem, 1, col)
            if not down.taps or not across.taps:  # a depth of none, and nothing divided by it
                down, across = down._replace(taps=0), across._replace(taps=1)
            yield Correlation(problem, problem.kg, problem.cg, down, across, transposed=True)


def _gradient_axis(problem: Conv2dProblem, axis: int, residue: int) -> Axis:
    met = axis_of(problem, axis, residue)
    size, outputs = ((problem.h, problem.p), (problem.w, problem.q))[axis]
    return Axis(
        size=size,
        results=met.places,
        first=met.first,
        step=problem.stride[axis],
        sources=outputs,
        origin=met.window,
        stride=1,
        dilation=-met.back,
        taps=met.taps,
        tap=met.tap,
        tap_step=met.tap_step,
    )


def too_many(problem: Conv2dProblem) -> bool:
    """Whether a number that the kernels keep in 32 bits does not fit."""
    of, size = forward_of(problem), problem.k * problem.cg * problem.r * problem.s
    inputs = problem.n * problem.h * problem.w
    return max(of.lines, inputs, of.depth, size) >= 2**31 - MOST
