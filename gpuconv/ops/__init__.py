"""The operations as functions: each checks, allocates, chooses a kernel and calls it."""

from .activation import relu as relu
from .activation import relu_backward as relu_backward
from .array import accumulate as accumulate
from .array import add as add
from .array import channel_sum as channel_sum
from .array import copy as copy
from .array import zeros as zeros
from .conv import conv2d as conv2d
from .conv import conv2d_input as conv2d_input
from .conv import conv2d_weight as conv2d_weight
from .cross_entropy import cross_entropy as cross_entropy
from .cross_entropy import cross_entropy_backward as cross_entropy_backward
from .linear import linear as linear
from .linear import linear_input as linear_input
from .linear import linear_weight as linear_weight
from .pool import max_pool2d as max_pool2d
from .pool import max_pool2d_backward as max_pool2d_backward
from .update_sgd import sgd as sgd
