"""PyTorch's counterparts of ops, on tensors in the order of the op's arrays.

``CALLS[op](torch, problem, *tensors)`` gives the op's outs; an op that is not here has no peer.
"""

from collections.abc import Callable
from typing import Any


def _conv2d(torch: Any, p: Any, x: Any, weight: Any, bias: Any) -> Any:
    return torch.nn.functional.conv2d(x, weight, bias, **_options(p))


def _options(p: Any) -> dict[str, Any]:
    padding = tuple(before for before, _ in p.padding)
    return {"stride": p.stride, "padding": padding, "dilation": p.dilation, "groups": p.groups}


def _gradient(torch: Any, p: Any, dy: Any, x: Any, weight: Any, wanted: list[bool]) -> Any:
    o = _options(p)
    backward = torch.ops.aten.convolution_backward
    return backward(
        dy, x, weight, None, o["stride"], o["padding"], o["dilation"], False, [0, 0], p.groups,
        wanted,
    )  # fmt: skip


def _conv2d_input(torch: Any, p: Any, dy: Any, weight: Any) -> Any:
    x = torch.empty(p.spec("x")[0], device=dy.device, dtype=dy.dtype)
    if weight.is_contiguous(memory_format=torch.channels_last):
        x = x.contiguous(memory_format=torch.channels_last)
    return _gradient(torch, p, dy, x, weight, [True, False, False])[0]


def _conv2d_weight(torch: Any, p: Any, x: Any, dy: Any) -> Any:
    weight = torch.empty(p.spec("weight")[0], device=dy.device, dtype=dy.dtype)
    return _gradient(torch, p, dy, x, weight, [False, True, False])[1]


def _linear(torch: Any, p: Any, x: Any, weight: Any, bias: Any) -> Any:
    return torch.nn.functional.linear(x, weight, bias)


def _max_pool2d(torch: Any, p: Any, x: Any) -> Any:
    padding = tuple(before for before, _ in p.padding)
    max_pool2d = torch.nn.functional.max_pool2d
    return max_pool2d(x, p.kernel, p.stride, padding, p.dilation, p.ceil_mode)


def _avg_pool2d(torch: Any, p: Any, x: Any) -> Any:
    padding = tuple(before for before, _ in p.padding)
    avg_pool2d = torch.nn.functional.avg_pool2d
    return avg_pool2d(x, p.kernel, p.stride, padding, p.ceil_mode, p.count_include_pad)


def _max_pool2d_backward(torch: Any, p: Any, dy: Any, index: Any, x: Any) -> Any:
    padding = tuple(before for before, _ in p.padding)
    backward = torch.ops.aten.max_pool2d_with_indices_backward
    return backward(dy, x, p.kernel, p.stride, padding, p.dilation, p.ceil_mode, index)


def _with_x(torch: Any, p: Any, dy: Any, *others: Any) -> list[Any]:
    """PyTorch's pooling backward asks for x, for its shape, and for 64-bit indices."""
    last = dy.is_contiguous(memory_format=torch.channels_last)
    form = torch.channels_last if last else torch.contiguous_format
    x = torch.empty(p.spec("x")[0], dtype=dy.dtype, device=dy.device, memory_format=form)
    return [dy, *(index.long().contiguous(memory_format=form) for index in others), x]


def _avg_pool2d_backward(torch: Any, p: Any, dy: Any, x: Any) -> Any:
    padding = tuple(before for before, _ in p.padding)
    backward = torch.ops.aten.avg_pool2d_backward
    return backward(dy, x, p.kernel, p.stride, padding, p.ceil_mode, p.count_include_pad, None)


def _batch_norm(torch: Any, p: Any, x: Any, weight: Any, bias: Any, mean: Any, var: Any) -> Any:
    normal = torch.native_batch_norm
    return normal(x, weight, bias, mean, var, True, p.momentum, p.epsilon)


def _batch_norm_backward(
    torch: Any, p: Any, dy: Any, x: Any, weight: Any, mean: Any, invstd: Any
) -> Any:
    backward = torch.ops.aten.native_batch_norm_backward
    wanted = [True, True, True]
    return backward(dy, x, weight, None, None, mean, invstd, True, p.epsilon, wanted)


def _batch_norm_inference(
    torch: Any, p: Any, x: Any, weight: Any, bias: Any, mean: Any, var: Any
) -> Any:
    normal = torch.nn.functional.batch_norm
    return normal(x, mean, var, weight, bias, eps=p.epsilon)


def _lrn(torch: Any, p: Any, x: Any) -> Any:
    return torch.nn.functional.local_response_norm(x, p.size, p.alpha * p.size, p.beta, p.k)


def _cross_entropy(torch: Any, p: Any, x: Any, target: Any) -> Any:
    entropy = torch.nn.functional.cross_entropy
    return entropy(x, target, label_smoothing=p.label_smoothing)


def _bce(torch: Any, p: Any, x: Any, target: Any) -> Any:
    return torch.nn.functional.binary_cross_entropy_with_logits(x, target)


def _tanh(torch: Any, p: Any, x: Any) -> Any:
    return torch.tanh(x) if p.scale == p.slope == 1 else p.scale * torch.tanh(p.slope * x)


def _softmax_backward(torch: Any, p: Any, dy: Any, y: Any) -> Any:
    return torch.ops.aten._softmax_backward_data(dy, y, 1, y.dtype)


def _log_softmax_backward(torch: Any, p: Any, dy: Any, y: Any) -> Any:
    return torch.ops.aten._log_softmax_backward_data(dy, y, 1, y.dtype)


def _leaky_relu_backward(torch: Any, p: Any, dy: Any, x: Any) -> Any:
    return torch.ops.aten.leaky_relu_backward(dy, x, p.negative_slope, False)


def _elu_backward(torch: Any, p: Any, dy: Any, x: Any) -> Any:
    return torch.ops.aten.elu_backward(dy, p.alpha, p.scale, 1.0, False, x)


CALLS: dict[str, Callable[..., Any]] = {
    "add": lambda torch, p, a, b: torch.add(a, b),
    "avg_pool2d": _avg_pool2d,
    "channel_sum": lambda torch, p, x: x.sum([d for d in range(x.ndim) if d != 1]),
    "conv2d": _conv2d,
    "conv2d_input": _conv2d_input,
    "conv2d_weight": _conv2d_weight,
    "linear": _linear,
    "linear_input": lambda torch, p, dy, weight: dy @ weight,
    "linear_weight": lambda torch, p, x, dy: dy.T @ x,
    "max_pool2d": _max_pool2d,
    "relu": lambda torch, p, x: torch.relu(x),
    "relu_backward": lambda torch, p, dy, y: torch.ops.aten.threshold_backward(dy, y, 0.0),
    "accumulate": lambda torch, p, x, total: total + x,
    "avg_pool2d_backward": _avg_pool2d_backward,
    "batch_norm": _batch_norm,
    "batch_norm_backward": _batch_norm_backward,
    "batch_norm_inference": _batch_norm_inference,
    "bce_with_logits": _bce,
    "copy": lambda torch, p, x: x.clone(),
    "cross_entropy": _cross_entropy,
    "elu": lambda torch, p, x: torch.ops.aten.elu(x, p.alpha, p.scale),
    "elu_backward": _elu_backward,
    "hardtanh": lambda torch, p, x: torch.nn.functional.hardtanh(x, p.min_val, p.max_val),
    "leaky_relu": lambda torch, p, x: torch.nn.functional.leaky_relu(x, p.negative_slope),
    "leaky_relu_backward": _leaky_relu_backward,
    "log_softmax": lambda torch, p, x: torch.log_softmax(x, 1),
    "log_softmax_backward": _log_softmax_backward,
    "lrn": _lrn,
    "max_pool2d_backward": _max_pool2d_backward,
    "mse": lambda torch, p, x, target: torch.nn.functional.mse_loss(x, target),
    "prelu": lambda torch, p, x, weight: torch.nn.functional.prelu(x, weight),
    "sigmoid": lambda torch, p, x: torch.sigmoid(x),
    "sigmoid_backward": lambda torch, p, dy, y: torch.ops.aten.sigmoid_backward(dy, y),
    "softmax": lambda torch, p, x: torch.softmax(x, 1),
    "softmax_backward": _softmax_backward,
    "tanh": _tanh,
}

# Arrays as the call takes them, where PyTorch's are others than ours: not timed.
PREPARED: dict[str, Callable[..., list[Any]]] = {
    "avg_pool2d_backward": _with_x,
    "max_pool2d_backward": _with_x,
}
