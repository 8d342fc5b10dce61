// Everything that this header of CUDA declares is there already.
#pragma once
