"""Nets by name: ``create(name, num_classes=..., dropout=..., seed=0)``."""

from . import alexnet as _alexnet  # noqa: F401 - registers its models
from . import cifar_resnet as _cifar_resnet  # noqa: F401
from . import cuda_convnet as _cuda_convnet  # noqa: F401
from . import lenet as _lenet  # noqa: F401
from . import resnet as _resnet  # noqa: F401
from . import squeezenet as _squeezenet  # noqa: F401
from . import vgg as _vgg  # noqa: F401
from . import zfnet as _zfnet  # noqa: F401
from .registry import Model as Model
from .registry import create as create
from .registry import get as get
from .registry import model as model
from .registry import models as models
