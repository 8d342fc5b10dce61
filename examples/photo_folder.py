"""Makes an ImageNet-shaped folder of images from photographs that installed packages ship.

Run it with ``python examples/photo_folder.py OUT`` where scikit-image, scikit-learn or matplotlib
is installed: a class for each photograph, its images random views of it, of many sizes. Among them
are grey, CMYK, 16-bit, animated and EXIF-rotated files; in the first class two that are broken.
"""

import argparse
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from PIL import Image, ImageEnhance

from gpuconv.random import Stream

PHOTOGRAPHS = {
    "astronaut": ("skimage", "data/astronaut.png"),
    "cat": ("skimage", "data/chelsea.png"),
    "coffee": ("skimage", "data/coffee.png"),
    "rocket": ("skimage", "data/rocket.jpg"),
    "galaxies": ("skimage", "data/hubble_deep_field.jpg"),
    "grass": ("skimage", "data/grass.png"),
    "motorcycle": ("skimage", "data/motorcycle_left.png"),
    "retina": ("skimage", "data/retina.jpg"),
    "tissue": ("skimage", "data/ihc.png"),
    "temple": ("sklearn", "datasets/images/china.jpg"),
    "flower": ("sklearn", "datasets/images/flower.jpg"),
    "admiral": ("matplotlib", "mpl-data/sample_data/grace_hopper.jpg"),
}
ORIENTATION, TURNED = 0x0112, 6  # EXIF: turn it by 90 degrees to see it upright


def photographs() -> dict[str, Path]:
    """Those whose package is installed, by the name of their class; no package is imported."""
    found = {}
    for title, (package, name) in PHOTOGRAPHS.items():
        spec = find_spec(package)
        path = Path(spec.origin).parent / name if spec and spec.origin else None
        if path is not None and path.is_file():
            found[title] = path
    return found


def view(photograph: Image.Image, number: int, side: int) -> Image.Image:
    """A window of half to all of each side, mirrored or not, darker or lighter, of another size.

    The shorter side is 1 to 2.5 times ``side``.
    """
    across, down, left, top, mirror, light, size = Stream(number).uniform((7,)).tolist()
    width, height = (
        round(s * (0.5 + 0.5 * u)) for s, u in zip(photograph.size, (across, down), strict=True)
    )
    x, y = (
        round((s - w) * u)
        for s, w, u in zip(photograph.size, (width, height), (left, top), strict=True)
    )
    image = photograph.crop((x, y, x + width, y + height))
    if mirror < 0.5:
        image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    image = ImageEnhance.Brightness(image).enhance(0.7 + 0.6 * light)
    factor = side * (1 + 1.5 * size) / min(image.size)
    return image.resize([max(round(side * factor), 1) for side in image.size])


def write(image: Image.Image, stem: Path, number: int) -> None:
    """One file; every eighth is of another kind, and so on."""
    if number % 8 == 1:
        image.convert("L").save(stem.with_suffix(".jpg"))
    elif number % 8 == 3:
        image.convert("CMYK").save(stem.with_suffix(".jpg"))
    elif number % 8 == 5:
        exif = Image.Exif()
        exif[ORIENTATION] = TURNED
        image.transpose(Image.Transpose.ROTATE_90).save(stem.with_suffix(".jpg"), exif=exif)
    elif number % 16 == 7:
        grey = np.asarray(image.convert("L")).astype(np.uint16) * 257
        Image.fromarray(grey).save(stem.with_suffix(".png"))
    elif number % 16 == 15:
        mirrored = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        image.save(stem.with_suffix(".gif"), save_all=True, append_images=[mirrored])
    else:
        image.save(stem.with_suffix(".jpg"), quality=90)


def make(photos: dict[str, Path], out: Path, images: int, side: int = 200) -> None:
    """A folder for each photograph with so many images, and two broken ones in the first."""
    for number, (title, path) in enumerate(photos.items()):
        folder = out / title
        folder.mkdir(parents=True)
        with Image.open(path) as file:
            photograph = file.convert("RGB")
        photograph.thumbnail((900, 900))
        for k in range(images):
            write(view(photograph, number * 100_000 + k, side), folder / f"{title}-{k:04}", k)
    first = out / next(iter(photos))
    whole = next(first.glob("*.jpg")).read_bytes()
    (first / "broken-empty.jpg").touch()
    (first / "broken-half.jpg").write_bytes(whole[: len(whole) // 2])


def main(arguments: list[str] | None = None) -> None:
    """Make the folder and say what was made."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("out", type=Path, help="the folder to make")
    parser.add_argument("--classes", type=int, default=10, help="at most so many photographs")
    parser.add_argument("--images", type=int, default=60, help="images of each")
    options = parser.parse_args(arguments)
    if options.out.exists():
        parser.error(f"{options.out} is there already: name a folder that is not")
    photos = dict(list(photographs().items())[: options.classes])
    if len(photos) < 2:
        parser.error("too few photographs: pip install scikit-image scikit-learn matplotlib")
    make(photos, options.out, options.images)
    print(f"{options.out}: {len(photos)} classes of {options.images} images: {', '.join(photos)}")


if __name__ == "__main__":
    main()
