"""Data: the embedded digits, IDX files, image folders, and the loader that feeds a net."""

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
from .sources import open_dataset as open_dataset
from .transforms import random_flip as random_flip
from .transforms import random_shift as random_shift
