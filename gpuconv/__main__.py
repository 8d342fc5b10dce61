"""``python -m gpuconv``."""

from gpuconv.cli import main

if __name__ == "__main__":
    main()
