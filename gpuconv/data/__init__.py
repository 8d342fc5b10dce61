"""Data: embedded digits, IDX, CIFAR, tar shards, image folders; the loader that feeds a net."""

from .cifar import cifar as cifar
from .colour import color_noise as color_noise
from .colour import cutout as cutout
from .crops import RandomCrop as RandomCrop
from .crops import RandomResizedCrop as RandomResizedCrop
from .crops import TenCrop as TenCrop
from .dataset import ArrayDataset as ArrayDataset
from .dataset import Dataset as Dataset
from .embedded import mnist as mnist
from .embedded import optdigits as optdigits
from .folders import ImageFolder as ImageFolder
from .folders import image_folder as image_folder
from .idx_files import fashion_mnist as fashion_mnist
from .idx_files import idx as idx
from .inputs import load_image as load_image
from .loader import Loader as Loader
from .pack import pack as pack
from .packed import PackedImages as PackedImages
from .preprocessing import Preprocessing as Preprocessing
from .sources import open_dataset as open_dataset
from .tar_shards import TarShards as TarShards
from .tar_shards import tar_shards as tar_shards
from .transforms import random_flip as random_flip
from .transforms import random_shift as random_shift
