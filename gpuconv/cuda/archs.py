"""GPU architectures: which ones a kernel needs, and which one its source is compiled for.

A kernel's ``archs`` say what it needs. "sm_80" is that architecture or any newer one. "sm_90a", a
name that ends in "a", is that architecture and no other: its special instructions are kept by none
that follows (CUDA C++ Programming Guide, "Architecture-Specific Features"). Of several any one is
enough; none at all is every GPU.
"""

import re

SPECIAL = (90,)  # capabilities compiled for with their special instructions, as "sm_90a"
_NAME = re.compile(r"sm_(\d{2,3})(a?)")


def name(capability: int | str) -> str:
    """The architecture that sources are compiled for on a GPU: "sm_80" for 8.0 given as 80."""
    return f"sm_{capability}a" if int(capability) in SPECIAL else f"sm_{capability}"


def wrong(archs: object) -> str | None:
    """What is wrong with what a kernel declares, or None."""
    if not isinstance(archs, tuple):
        return f"archs must be a tuple such as ('sm_80',), got {archs!r}"
    bad = [a for a in archs if not (isinstance(a, str) and _NAME.fullmatch(a))]
    return f"archs are named as sm_80 or sm_90a, got {bad[0]!r}" if bad else None


def lacks(archs: tuple[str, ...], arch: str) -> str | None:
    """What a kernel that declares ``archs`` needs and ``arch`` is not, or None where it runs."""
    if not archs or any(_runs(needed, arch) for needed in archs):
        return None
    return "needs " + " or ".join(a if a.endswith("a") else f"{a} or newer" for a in archs)


def _runs(needed: str, arch: str) -> bool:
    (least, special), (here, _) = _split(needed), _split(arch)
    return here == least if special else here >= least


def _split(arch: str) -> tuple[int, bool]:
    found = _NAME.fullmatch(arch)
    return (int(found[1]), bool(found[2])) if found else (0, False)
