"""Writes files of weights with PyTorch: those of tests/data, which the tests read without it.

    python tests/make_torch_files.py                 # tests/data/torch_*.pth, a few KB
    python tests/make_torch_files.py --alexnet DIR   # AlexNet with torchvision's keys

The latter prints how far the outputs of a net that loads the files are from PyTorch's.

``values`` makes what the files hold and needs no PyTorch.
"""

import argparse
from pathlib import Path
from typing import Any

import numpy as np

DATA = Path(__file__).parent / "data"
FORMATS = {"zip": True, "legacy": False}
DTYPES = ("float64", "float32", "float16", "int64", "int32", "int16", "int8", "uint8")


def values() -> dict[str, np.ndarray]:
    """What torch_tensors_*.pth hold, as it has to arrive."""
    flat = np.arange(24, dtype=np.float32) / 8
    plain = {name: (np.arange(6).reshape(2, 3) - 2).astype(name) for name in DTYPES[:-1]}
    return {
        **plain,
        "uint8": np.arange(250, 256, dtype=np.uint8),
        "bool": np.array([True, False, True]),
        "bfloat16": np.array([1.0, -0.0, 3.140625, 2.0**-130, np.inf], np.float32),
        "scalar": np.array(7),
        "empty": np.empty((0, 3), np.float32),
        "part": flat[4:16].reshape(3, 4),
        "tied": flat[4:16].reshape(3, 4),
        "transposed": flat.reshape(4, 6).T,
        "every_other": flat[1::2],
        "parameter": flat[:2],
    }


def tensors() -> dict[str, Any]:
    """The same as PyTorch's tensors: views of one storage, not contiguous, a Parameter."""
    import torch

    made = {name: torch.from_numpy(array.copy()) for name, array in values().items()}
    flat = torch.arange(24, dtype=torch.float32) / 8
    made["bfloat16"] = made["bfloat16"].bfloat16()
    made["part"] = made["tied"] = flat[4:16].view(3, 4)
    made["transposed"] = flat.view(4, 6).t()
    made["every_other"] = flat[1::2]
    made["parameter"] = torch.nn.Parameter(flat[:2])
    return made


def net() -> Any:
    """A net in PyTorch whose weights are counted, not drawn."""
    import torch

    made = torch.nn.Sequential(torch.nn.Conv2d(1, 2, 3), torch.nn.BatchNorm2d(2))
    for number, tensor in enumerate(made.state_dict().values()):
        count = torch.arange(tensor.numel(), dtype=torch.float32).reshape(tensor.shape)
        tensor.copy_(count + number)
    return made


def write_small(folder: Path) -> None:
    """The files of tests/data."""
    import torch

    made = net()
    parallel = {f"module.{name}": value for name, value in made.state_dict().items()}
    optimizer = torch.optim.SGD(made.parameters(), 0.1, momentum=0.9).state_dict()
    checkpoint = {"epoch": 3, "best": 0.5, "arch": "net", "optimizer": optimizer}
    files = {
        "tensors": tensors(),
        "state": made.state_dict(),
        "checkpoint": checkpoint | {"state_dict": parallel, "device": torch.device("cpu")},
    }
    torch.save(made, folder / "torch_model_zip.pth")
    for name, content in files.items():
        for format_, is_zip in FORMATS.items():
            path = folder / f"torch_{name}_{format_}.pth"
            torch.save(content, path, _use_new_zipfile_serialization=is_zip)


def torch_alexnet() -> Any:
    """torchvision's AlexNet without torchvision: the same modules in the same order."""
    from collections import OrderedDict

    from torch import nn

    sizes = [(3, 64, 11, 4, 2), (64, 192, 5, 1, 2), (192, 384, 3, 1, 1), (384, 256, 3, 1, 1)]
    features: list[Any] = []
    for number, size in enumerate([*sizes, (256, 256, 3, 1, 1)]):
        features += [nn.Conv2d(*size), nn.ReLU()]
        features += [nn.MaxPool2d(3, 2)] if number in (0, 1, 4) else []
    dense = [nn.Dropout(), nn.Linear(9216, 4096), nn.ReLU()]
    dense += [nn.Dropout(), nn.Linear(4096, 4096), nn.ReLU(), nn.Linear(4096, 1000)]
    parts = {"features": nn.Sequential(*features), "avgpool": nn.AdaptiveAvgPool2d(6)}
    parts |= {"flatten": nn.Flatten(), "classifier": nn.Sequential(*dense)}
    return nn.Sequential(OrderedDict(parts)).eval()


def compare_alexnet(folder: Path) -> None:
    """Write AlexNet in both formats, load it here, and print how far the outputs are apart."""
    import torch

    import gpuconv as gcv

    torch.manual_seed(0)
    theirs, images = torch_alexnet(), torch.randn(2, 3, 224, 224)
    with torch.no_grad():
        expected = theirs(images).numpy()
    for format_, is_zip in FORMATS.items():
        path = folder / f"alexnet_{format_}.pth"
        torch.save(theirs.state_dict(), path, _use_new_zipfile_serialization=is_zip)
        ours = gcv.models.create("alexnet")
        ours.load_state_dict(gcv.load(path))
        far = np.abs(ours(images.numpy()) - expected).max()
        print(f"{path.name}: {far:.2e} of {np.abs(expected).max():.2e}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--alexnet", type=Path, metavar="DIR")
    chosen = parser.parse_args().alexnet
    if chosen is None:
        write_small(DATA)
    else:
        compare_alexnet(chosen)
