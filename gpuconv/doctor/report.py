"""Everything at once: the findings, which devices are usable, and which one ``auto`` takes."""

from collections.abc import Callable
from dataclasses import dataclass

from .. import device
from ..cuda import libcuda
from ..cuda.libcuda import Driver
from . import gpu, host, packages
from .finding import Finding

CHECKS: dict[str, Callable[[Driver | None], Finding | list[Finding]]] = {
    "CPU": lambda _: host.cpu(),
    "C++ compiler": lambda _: host.compiler(),
    "cache": lambda _: host.built_files(),
    "NVIDIA driver": gpu.nvidia_driver,
    "GPU": gpu.gpus,
    "CuPy": gpu.cupy,
    "NVRTC": packages.nvrtc,
    "CUDA headers": packages.headers,
    "numba-cuda": packages.numba_cuda,
    "NCCL": packages.nccl,
    "probe kernel": gpu.probe,
}
# What must work for a device; CUDA's is the probe kernel, which tries all that it needs.
NEEDS = {"cpu": {"CPU"}, "emulated": {"CPU", "C++ compiler", "cache"}, "cuda": {"probe kernel"}}


@dataclass(frozen=True)
class Report:
    """The findings, and the device that ``auto`` takes, with the line that says why."""

    findings: tuple[Finding, ...]
    auto: str
    why: str

    @property
    def usable(self) -> list[str]:
        """The devices that work, by name."""
        works = {finding.name for finding in self.findings if finding.usable}
        return [name for name, needs in NEEDS.items() if needs <= works]


def examine() -> Report:
    """Look at the machine; a check that fails is a finding too."""
    driver = libcuda.ask()
    findings = [found for name in CHECKS for found in _look(name, driver)]
    chosen, why = device.auto()
    return Report(tuple(findings), chosen.kind, why)


def _look(name: str, driver: Driver | None) -> list[Finding]:
    try:
        found = CHECKS[name](driver)
    except Exception as error:  # a broken installation may raise anything; the others go on
        text = " ".join(f"cannot be examined: {type(error).__name__}: {error}".split())
        return [Finding(name, "error", text, "reinstall what this line names")]
    return found if isinstance(found, list) else [found]
