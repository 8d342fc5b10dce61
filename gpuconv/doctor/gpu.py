"""The driver, its GPUs, CuPy, and whether a kernel runs."""

from ..cuda import driver as door
from ..cuda.driver import dotted
from ..cuda.libcuda import LIBRARY, Driver, Gpu, kernel_module
from ..cuda.toolkit import installed
from .finding import Finding

DRIVERS = "NVIDIA's driver: 580 or newer for CUDA 13, 525 for CUDA 12"


def major(driver: Driver | None) -> int:
    """The CUDA whose packages suit this driver."""
    return 13 if driver is None or driver.cuda >= (13, 0) else 12


def extra(driver: Driver | None) -> str:
    """The command that installs what suits this driver."""
    return f"pip install 'gpuconv[cuda{major(driver)}]'"


def nvidia_driver(driver: Driver | None) -> Finding:
    """The driver and the newest CUDA that it runs."""
    name, fault, module = "NVIDIA driver", door.driver_fault(driver), kernel_module()
    if driver is None:
        return _no_driver(name, module)
    version = f"version {module or 'unknown'}, CUDA {dotted(driver.cuda)}"
    if fault:
        remedy = "restart the machine" if driver.fault else f"update {DRIVERS}"
        return Finding(name, "error", f"{version}: {fault}", remedy)
    return Finding(name, "ok", version)


def _no_driver(name: str, module: str | None) -> Finding:
    if module is None:
        text = "there is none"
        return Finding(name, "missing", text, f"if there is an NVIDIA GPU, install {DRIVERS}")
    text = f"its kernel module {module} is loaded, but its library {LIBRARY} cannot be"
    return Finding(name, "error", text, "in a container: start it with --gpus all")


def gpus(driver: Driver | None) -> list[Finding]:
    """Every GPU; those that are too old say so."""
    if driver is None:
        return [Finding("GPU", "missing", "none is seen without a driver", "see NVIDIA driver")]
    if not driver.gpus:
        remedy = "look at nvidia-smi and at the environment variable CUDA_VISIBLE_DEVICES"
        return [Finding("GPU", "missing", f"{door.gpu_fault(driver)}", remedy)]
    return [_gpu(driver, index, gpu) for index, gpu in enumerate(driver.gpus)]


def _gpu(driver: Driver, index: int, gpu: Gpu) -> Finding:
    text = f"{gpu}, {gpu.memory / 2**30:.1f} GiB"
    if gpu.arch >= door.OLDEST_ARCH:
        return Finding(f"GPU {index}", "ok", text)
    newer = [i for i, other in enumerate(driver.gpus) if other.arch >= door.OLDEST_ARCH]
    remedy = f"set CUDA_VISIBLE_DEVICES={newer[0]}" if newer else "use --device cpu"
    return Finding(f"GPU {index}", "error", f"{text}: older than sm_{door.OLDEST_ARCH}", remedy)


def cupy(driver: Driver | None) -> Finding:
    """The one CuPy; two at once, or one that is too new for the driver, say so."""
    found, fault = door.cupys(), door.cupy_fault(driver)
    if fault is None:
        versions = (f"{name} {installed(name)}" for name in found)
        return Finding("CuPy", "ok", ", ".join(versions) or "installed by hand")
    if not found:
        return Finding("CuPy", "missing", fault, extra(driver))
    remedy = f"pip uninstall {' '.join(found)}, then {extra(driver)}"
    if fault.startswith(door.TOO_OLD):
        remedy = f"update {DRIVERS}; or {remedy}"
    return Finding("CuPy", "error", fault, remedy)


def probe(driver: Driver | None) -> Finding:
    """Whether a kernel ran: what device ``auto`` goes by."""
    reason = door.missing()
    if reason is None:
        return Finding("probe kernel", "ok", "ran")
    tried = door.obstacle(driver) is None
    return Finding("probe kernel", "error" if tried else "missing", reason, "see the lines above")
