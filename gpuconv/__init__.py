"""Convolutional networks trained on kernels that people can read, choose, measure and trust."""

from . import _layout as _layout  # first: it makes gpuconv.kernels and gpuconv.benchmarks findable
from . import data as data
from . import layers as layers
from . import models as models
from . import onnx as onnx
from . import ops as ops
from . import random as random
from ._version import __version__ as __version__
from .cpu import get_num_threads as get_num_threads
from .cpu import set_num_threads as set_num_threads
from .device import asarray as asarray
from .device import to_device as to_device
from .device import to_numpy as to_numpy
from .errors import GpuconvError as GpuconvError
from .explanation import explain as explain
from .graph import Graph as Graph
from .graph import Sequential as Sequential
from .layers import BCEWithLogitsLoss as BCEWithLogitsLoss
from .layers import CrossEntropyLoss as CrossEntropyLoss
from .layers import MSELoss as MSELoss
from .layers import init as init
from .limits import limits as limits
from .training import schedules as schedules
from .training.checkpoint import load_weights as load_weights
from .training.checkpoint import save_weights as save_weights
from .training.evaluate import evaluate as evaluate
from .training.groups import param_groups as param_groups
from .training.optimizers import SGD as SGD
from .training.optimizers import Adam as Adam
from .training.step import InferenceStep as InferenceStep
from .training.step import TrainStep as TrainStep
from .training.trainer import Trainer as Trainer
from .weights import load as load
from .weights import save as save
