"""Where the package's folders lie; everything else about the distribution is in pyproject.toml."""

from setuptools import find_packages, setup

BESIDE = {"gpuconv.kernels": "kernels", "gpuconv.benchmarks": "benchmarks"}

setup(
    packages=[
        *find_packages(include=["gpuconv", "gpuconv.*"]),
        *BESIDE,
        *(f"{name}.{sub}" for name, folder in BESIDE.items() for sub in find_packages(folder)),
    ],
    package_dir=BESIDE,
    package_data={
        "gpuconv": ["py.typed"],
        "gpuconv.benchmarks": ["*.json", "results/*.json", "results/*.jsonl", "**/*.cu"],
        "gpuconv.data": ["digits/*"],
        "gpuconv.emulator": ["include/*.h", "runtime/*.cpp", "runtime/*.h"],
        "gpuconv.plans": ["*.json"],
        "gpuconv.training": ["recipes/*.toml"],
        "gpuconv.kernels": ["**/*.cu", "**/*.cuh"],
    },
)
