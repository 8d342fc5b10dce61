"""Worked examples from the lecture text the project starts from: whole numbers, to be met exactly.

TEXT is printed there; DERIVED was computed from its inputs with PyTorch's autograd in float64.
"""

import numpy as np

# TEXT: correlation of f = [2, 3] with g; DERIVED: its values, and those of true convolution.
SIGNAL, FILTER = [5, 7, 11, 13], [2, 3]
CORRELATED, CONVOLVED = [31, 47, 61], [29, 43, 59]

# TEXT: an image channel with its zero border; the window at the top left gives 308.
FRAGMENT = [
    [0, 0, 0, 0, 0, 0],
    [0, 156, 155, 156, 158, 158],
    [0, 153, 154, 157, 159, 159],
    [0, 149, 151, 155, 158, 159],
    [0, 146, 146, 149, 153, 158],
    [0, 145, 143, 143, 148, 158],
]
FRAGMENT_KERNEL = [[-1, -1, 1], [0, 1, -1], [0, 1, 1]]
FRAGMENT_OUT = [  # 308: TEXT; the rest: DERIVED
    [308, 310, 314, 318],
    [298, 148, 158, 161],
    [291, 141, 147, 153],
    [290, 138, 139, 147],
]
FRAGMENT_FLIPPED, FRAGMENT_TRANSPOSED = -151, 312  # DERIVED: what wrong conventions give

# TEXT: the volume of CS231n, first and second listing; stride 2, padding 1.
X = [
    [[1, 2, 0, 0, 1], [2, 2, 0, 1, 0], [2, 2, 1, 2, 1], [0, 1, 1, 0, 2], [2, 1, 0, 2, 1]],
    [[0, 2, 0, 0, 1], [1, 1, 0, 2, 2], [0, 1, 1, 0, 2], [1, 2, 0, 2, 0], [0, 2, 0, 1, 0]],
    [[2, 2, 1, 0, 0], [2, 1, 0, 0, 1], [0, 2, 2, 2, 1], [1, 2, 1, 0, 2], [2, 1, 1, 1, 1]],
]
W = [
    [
        [[1, -1, -1], [-1, 0, 0], [-1, -1, 0]],
        [[-1, 0, 1], [-1, 0, 0], [-1, -1, -1]],
        [[-1, -1, 1], [0, 0, 0], [1, -1, -1]],
    ],
    [
        [[0, 0, 1], [1, 1, 0], [0, 0, 0]],
        [[1, 0, 0], [1, -1, 1], [-1, 0, 0]],
        [[-1, 1, 0], [0, -1, 1], [1, 0, -1]],
    ],
]
BIAS = [1, 0]
OUT = [[[-6, -7, -5], [-9, -6, -9], [3, -5, -8]], [[2, 3, -2], [7, 4, 1], [5, 5, 7]]]

# TEXT: the third listing prints row 0 of w0[:, :, 2] as -1 1 1, and the same outputs.
MISPRINTED_ROW = [-1, 1, 1]
MISPRINTED_OUT0 = [[-6, -7, -5], [-5, -6, -7], [5, -3, -4]]  # DERIVED: what it really gives

# DERIVED: what wrong conventions give.
FLIPPED = [[[-7, 0, 1], [-13, -7, -6], [-5, -10, -5]], [[5, 7, 2], [6, 4, 2], [3, 1, 2]]]
TRANSPOSED = [[[-7, -5, 2], [-13, -9, -4], [-5, -11, -6]], [[1, 3, 4], [5, 0, 6], [1, -1, 5]]]

# DERIVED: stride 1, of which OUT is every second row and column.
OUT_STRIDE_1 = [
    [
        [-6, -5, -7, -5, -5],
        [-5, -16, -12, -7, -7],
        [-9, -11, -6, -3, -9],
        [-7, -5, -11, -8, -7],
        [3, -6, -5, 1, -8],
    ],
    [[2, 1, 3, 0, -2], [3, 1, 5, 2, 2], [7, 3, 4, 4, 1], [3, 3, 6, 3, 1], [5, 4, 5, 2, 7]],
]

# DERIVED: gradients for dy = 1 .. 18.
DY = np.arange(1, 19).reshape(2, 3, 3).tolist()
DB = [45, 126]
DW = [
    [
        [[24, 34, 20], [52, 46, 43], [12, 19, 8]],
        [[51, 23, 44], [34, 20, 28], [30, 11, 23]],
        [[21, 47, 18], [43, 51, 35], [12, 26, 9]],
    ],
    [
        [[60, 79, 56], [133, 127, 124], [48, 64, 44]],
        [[114, 59, 107], [88, 56, 82], [93, 47, 86]],
        [[48, 110, 45], [115, 141, 107], [39, 89, 36]],
    ],
]
DX = [
    [
        [10, 9, 11, 9, 12],
        [-5, 12, -7, 12, -9],
        [13, 9, 14, 9, 15],
        [-11, 12, -13, 12, -15],
        [16, 9, 17, 9, 18],
    ],
    [
        [-10, 19, -11, 20, -12],
        [-1, -1, -2, -3, -3],
        [-13, 22, -14, 23, -15],
        [-4, -7, -5, -9, -6],
        [-16, 25, -17, 26, -18],
    ],
    [
        [-10, 10, -11, 11, -12],
        [8, -13, 7, -14, 6],
        [-13, 13, -14, 14, -15],
        [5, -16, 4, -17, 3],
        [-16, 16, -17, 17, -18],
    ],
]

# DERIVED: dy = 1 everywhere; both filters have the same gradient.
DB_ONES = [9, 9]
DW_ONES = [
    [[4, 5, 4], [9, 9, 9], [4, 5, 4]],
    [[7, 4, 7], [6, 4, 6], [7, 4, 7]],
    [[3, 7, 3], [8, 10, 8], [3, 7, 3]],
]

# DERIVED: of OUT; pooling has window 2 and stride 1.
RELU = [[[0, 0, 0], [0, 0, 0], [3, 0, 0]], [[2, 3, 0], [7, 4, 1], [5, 5, 7]]]
MAX = [[[-6, -5], [3, -5]], [[7, 4], [7, 7]]]
AVERAGE = [[[-7, -6.75], [-4.25, -7]], [[4, 1.5], [5.25, 4.25]]]
GLOBAL_MAX = [[[3]], [[7]]]
GLOBAL_SUM = [[[-52]], [[32]]]
