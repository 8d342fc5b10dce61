"""Every kernel and every peer on the layers of nets: time, workspace and error side by side."""

from collections.abc import Iterator
from functools import lru_cache, partial
from typing import Any

import numpy as np

from gpuconv import device as devices
from gpuconv import registry
from gpuconv.device import Device
from gpuconv.errors import KernelError
from gpuconv.limits import current_limits
from gpuconv.problem import Problem
from gpuconv.registry import LINEAR, Kernel, Op

from .. import peers
from ..measure import Timing, measure
from ..values import values
from ..workloads import Workload, shrunk, workloads
from .items import Item, Session, Unavailable

CHECKED = 1e11  # operations: a float64 reference of more is not worth its time
PLAIN = ("direct", "tiled")  # which kernel computes the reference: the first that there is
SAMPLES = 4096  # elements of a result that are compared with it


def items(session: Session) -> Iterator[Item]:
    """A row for each workload and kernel, then for each of its peers."""
    for full in workloads():
        work = shrunk(full) if session.rehearsal else full
        op = registry.get_op(work.op)
        for kernel in op.kernels():
            if session.device.kind in kernel.devices:
                key = f"{work.name} {op.name} {kernel.name}"
                run = partial(of_kernel, session, work, op, kernel)
                yield Item("speed", key, run, limit=60.0)
        for peer in peers.peers(op.name):
            key = f"{work.name} {op.name} {peer.name}"
            yield Item("speed", key, partial(of_peer, session, work, op, peer))


def of_kernel(session: Session, work: Workload, op: Op, kernel: Kernel) -> dict[str, Any]:
    """Time, workspace and error of one kernel."""
    problem, here = work.problem, session.device
    reason = kernel.objection(problem, here, current_limits())
    if reason is not None:
        raise Unavailable(reason)
    arrays = _arrays(op, problem, here)
    fixed = dict(zip(op.updates, arrays[len(op.ins) :], strict=True))
    outs = tuple(
        fixed[n] if n in fixed else devices.empty(*problem.spec(n.rstrip("?")), here)
        for n in op.outs
    )
    size = kernel.workspace(problem, here)
    buffer = devices.empty((size,), "uint8", here) if size else None
    ins = tuple(arrays[: len(op.ins)])
    timing = measure(lambda: kernel.run(outs, ins, problem, buffer), here)
    error = _error(work, here, outs[0])
    if error is not None and not error <= kernel.error:  # NaN must fail
        raise KernelError(f"error of {error:.3g} eps * scale, allowed {kernel.error:g}")
    return {**_row(op, problem, timing), "workspace": size, "error": error}


def of_peer(session: Session, work: Workload, op: Op, peer: peers.Peer) -> dict[str, Any]:
    """Time and error of one peer on the same arrays."""
    if session.rehearsal:
        raise Unavailable("peers run on a GPU")
    reason = peers.missing()
    if reason is not None:
        raise Unavailable(reason)
    problem = work.problem
    with peers.settings(peer):
        call = peers.call(peer, op.name, problem, _arrays(op, problem, session.device))
        timing = measure(call, session.device)
        result = peers.to_array(call())
    return {**_row(op, problem, timing), "error": _error(work, session.device, result)}


def _row(op: Op, problem: Problem, timing: Timing) -> dict[str, Any]:
    return {
        "seconds": timing.median,
        "shortest": timing.shortest,
        "runs": timing.runs,
        "flops": op.flops(problem),
        "bytes": op.bytes(problem),
    }


@lru_cache(maxsize=2)
def _arrays(op: Op, problem: Problem, here: Device) -> list[Any]:
    """Ins and updates on the device."""
    return [devices.to_device(array, here) for array in values(op, problem)]


def _error(work: Workload, here: Device, result: Any) -> float | None:
    """The worst error of some elements in eps * scale; None where no reference was computed."""
    reference = _reference(work, here)
    if reference is None:
        return None
    want, scale = reference
    got = _sampled(result)
    bound = work.problem.eps * scale + work.problem.tiny
    return float(np.max(np.abs(got - want) / bound, initial=0.0))


@lru_cache(maxsize=2)
def _reference(work: Workload, here: Device) -> tuple[np.ndarray, np.ndarray] | None:
    """Elements of the result in float64, and of the same on absolute values, by a plain kernel."""
    op = registry.get_op(work.op)
    named = {k.algorithm: k for k in op.kernels() if k.backend == "cuda"}
    plain = next((named[name] for name in PLAIN if name in named), None)
    if op.scale != LINEAR or plain is None or op.flops(work.problem) > CHECKED:
        return None
    arrays = [a.astype("f8") if a.dtype == "f4" else a for a in _arrays(op, work.problem, here)]
    absolute = [devices.to_device(np.abs(devices.to_numpy(a)), here) for a in arrays]
    return _exact(op, plain, work, here, arrays), _exact(op, plain, work, here, absolute)


def _exact(op: Op, kernel: Kernel, work: Workload, here: Device, arrays: list[Any]) -> np.ndarray:
    problem = work.problem.astype("float64")
    out = devices.empty(*problem.spec(op.outs[0]), here)
    size = kernel.workspace(problem, here)
    buffer = devices.empty((size,), "uint8", here) if size else None
    kernel.run((out,), tuple(arrays), problem, buffer)
    return _sampled(out)


def _sampled(array: Any) -> np.ndarray:
    flat = array.reshape(-1)
    some = flat[:: max(1, flat.size // SAMPLES)]
    host = some if isinstance(some, np.ndarray) and type(some) is np.ndarray else None
    return np.asarray(devices.to_numpy(some.copy()) if host is None else host, np.float64)
