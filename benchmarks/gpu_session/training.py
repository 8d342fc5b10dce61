"""Training steps of LeNet-5 and AlexNet: losses as on the CPU, and time beside PyTorch's."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np

from gpuconv import device as devices
from gpuconv.device import CPU, Device
from gpuconv.errors import GpuconvError
from gpuconv.layers import CrossEntropyLoss
from gpuconv.models import create, get
from gpuconv.random import Stream
from gpuconv.training.optimizers import SGD
from gpuconv.training.step import TrainStep

from .. import peers
from ..measure import measure
from .items import Item, Session, Unavailable

STEPS = 3
TOLERANCE = 1e-5  # relative, of a loss
BATCHES = {"lenet5": 64, "alexnet": 128}
LR = 0.01


def right(session: Session) -> Iterator[Item]:
    """For each net its losses against the CPU's."""
    yield Item("training", "lenet5 losses", partial(losses, session, "lenet5", 8))
    if not session.rehearsal:
        yield Item("training", "alexnet losses", partial(losses, session, "alexnet", 2))


def items(session: Session) -> Iterator[Item]:
    """For each net seconds of a step, and of PyTorch's."""
    if session.rehearsal:
        yield Item("training", "lenet5 step", partial(step, session, "lenet5", 2))
        return
    for net, batch in BATCHES.items():
        yield Item("training", f"{net} step", partial(step, session, net, batch))
        for peer in (peers.Peer(p, f) for p in ("fp32", "tf32") for f in (False, True)):
            run = partial(of_peer, session, net, batch, peer)
            yield Item("training", f"{net} step {peer.name}", run)


def _data(net: str, batch: int) -> tuple[np.ndarray, np.ndarray]:
    chosen = get(net)
    images = Stream(1).normal((batch, *chosen.input_shape)).astype("float32")
    return images, np.arange(batch, dtype="int64") % chosen.num_classes


def _step(net: str, batch: int, here: Device) -> Callable[[], Any]:
    model = create(net, dropout=0.0).to(here.kind)
    made = TrainStep(model, CrossEntropyLoss(), SGD(model.parameters(), LR, momentum=0.9))
    images, labels = (devices.to_device(a, here) for a in _data(net, batch))
    return lambda: made(images, labels)


def losses(session: Session, net: str, batch: int) -> dict[str, Any]:
    """The losses of a few steps here and on the CPU; raises where they differ."""
    both = []
    for here in (session.device, CPU):
        run = _step(net, batch, here)
        both.append([float(devices.to_numpy(run())) for _ in range(STEPS)])
    worst = max(abs(a - b) / abs(b) for a, b in zip(*both, strict=True))
    if not worst <= TOLERANCE:
        raise GpuconvError(f"{net}: losses {both[0]} differ from the CPU's {both[1]}")
    return {"losses": both[0], "cpu": both[1], "worst": worst, "allowed": TOLERANCE}


def step(session: Session, net: str, batch: int) -> dict[str, Any]:
    """Seconds of one step."""
    timing = measure(_step(net, batch, session.device), session.device, seconds=1.0)
    return {"seconds": timing.median, "shortest": timing.shortest, "batch": batch}


def of_peer(session: Session, net: str, batch: int, peer: peers.Peer) -> dict[str, Any]:
    """Seconds of one of PyTorch's steps on the same net, batch and optimizer."""
    reason = peers.missing()
    if reason is not None:
        raise Unavailable(reason)
    with peers.settings(peer):
        call = _torch_step(net, batch, peer)
        timing = measure(call, session.device, seconds=1.0)
    return {"seconds": timing.median, "shortest": timing.shortest, "batch": batch}


def _torch_step(net: str, batch: int, peer: peers.Peer) -> Callable[[], Any]:
    import torch

    layout = torch.channels_last if peer.channels_last else torch.contiguous_format
    model = _torch_net(net).to("cuda", memory_format=layout).train()
    optimizer = torch.optim.SGD(model.parameters(), LR, momentum=0.9)
    host, classes = _data(net, batch)
    images = torch.from_numpy(host).to("cuda").contiguous(memory_format=layout)
    labels = torch.from_numpy(classes).to("cuda")

    def run() -> Any:
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(model(images), labels)
        loss.backward()
        optimizer.step()
        return loss

    return run


def _torch_net(net: str) -> Any:
    from torch import nn

    if net == "alexnet":
        from torchvision.models import alexnet

        return alexnet(dropout=0.0)
    return nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
        nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10),
    )  # fmt: skip
