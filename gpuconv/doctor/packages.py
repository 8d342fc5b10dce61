"""NVRTC and its headers, numba-cuda and its NumPy, NCCL: what a GPU's kernels are made with."""

import re

from numpy import __version__ as NUMPY

from ..cuda import toolkit
from ..cuda.driver import OLDEST_ARCH, cupys, dotted
from ..cuda.libcuda import Driver
from .finding import Finding
from .gpu import extra, major


def nvrtc(driver: Driver | None) -> Finding:
    """The compiler of the kernels: against the driver, and the GPUs it compiles for."""
    found = toolkit.find_nvrtc()
    if isinstance(found, str):
        return _no_nvrtc(found, driver)
    text = dotted(found.version)
    if driver and found.version[0] > driver.cuda[0]:
        text += f" is newer than the driver's CUDA {dotted(driver.cuda)}"
        return Finding("NVRTC", "error", text, extra(driver))
    gpus = [gpu for gpu in driver.gpus if gpu.arch >= OLDEST_ARCH] if driver else []
    unknown = sorted(str(gpu) for gpu in gpus if gpu.arch not in found.archs)
    if unknown:
        text += f" does not compile for {', '.join(unknown)}"
        return Finding("NVRTC", "error", text, f"{extra(driver)} --upgrade")
    return Finding("NVRTC", "ok", text)


def _no_nvrtc(reason: str, driver: Driver | None) -> Finding:
    if not cupys():
        return Finding("NVRTC", "missing", reason, extra(driver))
    text = f"{reason}: CuPy compiles in its place, and flushes denormals to zero"
    return Finding("NVRTC", "warning", text, extra(driver))


def headers(driver: Driver | None) -> Finding:
    """CUDA's headers, which CuPy's own kernels include, against NVRTC."""
    found, nvrtc = toolkit.find_headers(), toolkit.find_nvrtc()
    if found is None:
        text = "not found: CuPy's own kernels do not compile"
        return Finding("CUDA headers", "missing", text, extra(driver))
    folder, version = found
    text = f"{dotted(version)} at {folder}"
    if not isinstance(nvrtc, str) and nvrtc.version[0] != version[0]:
        text += f", but NVRTC is {dotted(nvrtc.version)}"
        return Finding("CUDA headers", "warning", text, extra(driver))
    return Finding("CUDA headers", "ok", text)


def numba_cuda(driver: Driver | None) -> Finding:
    """numba-cuda, and whether it compiles with this NumPy."""
    version = toolkit.installed("numba-cuda")
    if version is None:
        return Finding("numba-cuda", "missing", "not installed", extra(driver))
    text = f"{version} with NumPy {NUMPY}"
    # It names numpy.row_stack, which NumPy 2.5 no longer has, while it loads its compiler.
    if _pair(version) <= (0, 30) and _pair(NUMPY) >= (2, 5):
        text += ": does not compile by itself"
        return Finding("numba-cuda", "warning", text, "outside gpuconv: pip install 'numpy<2.5'")
    return Finding("numba-cuda", "ok", text)


def _pair(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version)[:2])


def nccl(driver: Driver | None) -> Finding:
    """NCCL, against CuPy; of use with several GPUs only."""
    found = toolkit.find_nccl()
    cupy = next((name for name in cupys() if name.startswith("cupy-cuda")), "")
    wanted = cupy.removeprefix("cupy-cuda").removesuffix("x") or str(major(driver))
    remedy = f"for several GPUs: pip install nvidia-nccl-cu{wanted}"
    if found is None:
        return Finding("NCCL", "missing", "not found", remedy)
    text, built = found
    if cupy and built not in (wanted, None):
        return Finding("NCCL", "warning", f"{text}, but CuPy is {cupy}", remedy)
    return Finding("NCCL", "ok", text)
