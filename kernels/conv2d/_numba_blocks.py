"""How the CPU convolutions lay out channels: blocks of a vector's lanes, and tables that say which.

Three layouts of the source, for every layout of results in blocks of ``lanes`` channels:
plain, (channels, h, w): no channel is padded, a tile's depth runs along a row of weights;
blocked, (channels / lanes, h, w, lanes): the depth runs over a block's channels;
per lane, the same but in the lanes of the results: groups too small to fill a block lie side by
side, and each lane reads the channel of its own group.
Blocks are those of gpuconv/formats.py wherever groups end where blocks do: then arrays that come in
that format are read and written where they lie.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from gpuconv import cpu, formats

from .op import Conv2dProblem

WASTE = 1.5  # of idle lanes, at which groups are laid side by side


@dataclass(frozen=True)
class Roles:
    """A convolution seen from its source: channels of a group, and where their weights lie."""

    groups: int
    inputs: int
    results: int
    group_step: int
    result_step: int
    input_step: int


def forward(problem: Conv2dProblem) -> Roles:
    """x is the source and y the result."""
    taps, groups = problem.r * problem.s, problem.groups
    filters = problem.cg * taps
    return Roles(groups, problem.cg, problem.kg, problem.kg * filters, filters, taps)


def backward(problem: Conv2dProblem) -> Roles:
    """dy is the source and dx the result."""
    taps, groups = problem.r * problem.s, problem.groups
    filters = problem.cg * taps
    return Roles(groups, problem.kg, problem.cg, problem.kg * filters, taps, filters)


@dataclass(frozen=True, eq=False)
class Blocks:
    """A layout: ``results`` and ``sources`` say which channel each (block, lane) holds (-1: none).

    ``weights`` says where a result's weights begin. A source row, which ``shared`` blocks of
    results read, is ``groups`` blocks of ``cell`` channels, ``depth`` of them in a tile's depth.
    """

    lanes: int
    cell: int
    depth: int
    per_lane: bool
    groups: int
    shared: int
    results: np.ndarray
    sources: np.ndarray
    weights: np.ndarray


@lru_cache(512)
def blocks(roles: Roles, level: str) -> Blocks:
    """The layout for these channels on a CPU of this level."""
    if _side_by_side(roles):
        return _per_lane(roles)
    lanes = cpu.lanes_for(roles.results)
    results = table(roles.groups, roles.results, lanes)
    weights = first_weights(roles, results)
    shared = len(results) // roles.groups
    cell = _cell(roles)
    sources = table(roles.groups, roles.inputs, cell)
    groups = len(sources) // roles.groups
    depth = roles.inputs if groups == 1 else cell  # lanes without a channel are not multiplied
    return Blocks(
        lanes, cell, depth if cell > 1 else 1, False, groups, shared, results, sources, weights
    )


def _cell(roles: Roles) -> int:
    """Channels of a source's block; 1 where blocks would hold little more than zeros."""
    own = formats.lanes(roles.groups * roles.inputs, formats.native())
    if roles.groups == 1 or roles.inputs % own == 0:
        return own
    return formats.lanes(roles.inputs, formats.native())


def _side_by_side(roles: Roles) -> bool:
    total = roles.groups * roles.results
    alone = roles.groups * _padded(roles.results, cpu.lanes_for(roles.results))
    return roles.groups > 1 and alone > WASTE * _padded(total, cpu.lanes_for(total))


def _per_lane(roles: Roles) -> Blocks:
    total = roles.groups * roles.results
    lanes = cpu.lanes_for(total)
    results = table(1, total, lanes)
    channel = np.arange(roles.inputs)[None, :, None]
    first = results[:, None, :] // roles.results * roles.inputs
    sources = np.where(results[:, None, :] < 0, -1, first + channel).reshape(-1, lanes)
    weights = first_weights(roles, results)
    return Blocks(lanes, lanes, 1, True, roles.inputs, 1, results, sources, weights)


def _padded(count: int, size: int) -> int:
    return -(-count // size) * size


def table(groups: int, channels: int, lanes: int) -> np.ndarray:
    """The channels of every group in blocks of ``lanes``."""
    own = np.arange(_padded(channels, lanes))
    first = channels * np.arange(groups)[:, None]
    return np.where(own < channels, first + own, -1).reshape(-1, lanes).astype(np.int64)


def first_weights(roles: Roles, results: np.ndarray) -> np.ndarray:
    """Where the weights of each result begin, -1 for lanes without one."""
    group, own = np.divmod(results, roles.results)
    return np.where(results < 0, -1, group * roles.group_step + own * roles.result_step)
