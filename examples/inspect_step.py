"""One training step by hand: what forward keeps, what backward gives, who computes it.

Run it with ``python examples/inspect_step.py``.
"""

import numpy as np

import gpuconv as gcv
from gpuconv import registry


def main() -> float:
    """Take one step on eight digits; returns how far the loss fell on them."""
    net = gcv.models.create("lenet5")
    digits = gcv.data.mnist("train")
    images = digits.images[:8].transpose(0, 3, 1, 2) / np.float32(255)
    labels = digits.labels[:8].astype(np.int64)
    loss_of, optimizer = gcv.CrossEntropyLoss(), gcv.SGD(net.parameters(), lr=0.05)

    logits, saved = net.forward(images, train=True)
    for node, kept in zip(net.nodes, saved, strict=True):
        print(f"{node.name:8s} keeps {'nothing' if kept is None else type(kept).__name__}")
    loss, kept = loss_of.forward(logits, labels, train=True)
    gradient, _ = loss_of.backward(1.0, kept)
    net.backward(gradient, saved, need_dx=False)
    for name, parameter in net.named_parameters():
        print(f"{name:14s} {parameter.shape!s:16s} |grad| {np.abs(parameter.grad).max():.2e}")
    optimizer.step()

    after = loss_of(net(images), labels)
    print(f"loss {float(loss):.4f} -> {float(after):.4f}")
    for kernel in registry.get_op("conv2d").kernels():
        print(f"conv2d could run on {kernel.name}")
    return float(loss) - float(after)


if __name__ == "__main__":
    main()
