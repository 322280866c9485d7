"""A short GIF of a video that `evaluate.py --video` wrote.

python evaluate.py pretrained/carracing2 --video
python -m report.gifs pretrained/carracing2/drive.mp4 docs/pictures/drive.gif --start 50
"""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Iterator
from pathlib import Path

import numpy as np

import runs
from runs import cli


def shared_palette(frames: list, colours: int):
    """Return a palette image for all frames: colours that are common, and a quarter that are rare.

    Without the rare ones a small red car turns grey among all the green.
    """
    from PIL import Image

    pixels = Image.fromarray(np.concatenate([np.asarray(frame) for frame in frames]))
    rare = pixels.quantize(colours // 4, method=Image.Quantize.MAXCOVERAGE).getpalette()
    common = pixels.quantize(colours - len(rare) // 3).getpalette()
    palette = Image.new("P", (1, 1))
    palette.putpalette(common + rare)
    return palette


def save(pictures: Iterator[np.ndarray], file: Path, width: int, seconds: float, colours: int):
    """Write pictures, uint8 (H, W, 3), scaled to `width`, each for `seconds`; return how many.

    Raises:
        RunError: there are no pictures.
    """
    from PIL import Image

    frames = [Image.fromarray(picture) for picture in pictures]
    if not frames:
        raise runs.RunError("the video ends before --start: nothing to show")
    size = (width, round(width * frames[0].height / frames[0].width))
    frames = [frame.resize(size, Image.Resampling.BOX) for frame in frames]
    palette = shared_palette([frames[i] for i in (0, len(frames) // 2, -1)], colours)
    first, *rest = [f.quantize(palette=palette, dither=Image.Dither.NONE) for f in frames]
    options = {"duration": round(1000 * seconds), "loop": 0, "optimize": True}
    with runs.replacing(file) as out:
        first.save(out, format="GIF", save_all=True, append_images=rest, **options)
    return len(frames)


def main() -> None:
    formatter = argparse.RawDescriptionHelpFormatter
    parser = cli.OptionParser(description=__doc__, formatter_class=formatter)
    add = parser.add_argument
    add("video", type=Path, help="an mp4, such as log/carracing/drive.mp4")
    add("gif", type=Path, help="the GIF to write")
    add("--start", type=int, default=0, help="the first frame shown (default: %(default)s)")
    add("--frames", type=int, default=500, help="how many frames to go through (default: 500)")
    add("--every", type=int, default=5, help="keep one frame in so many (default: %(default)s)")
    add("--width", type=int, default=400, help="in pixels (default: %(default)s)")
    add("--colours", type=int, default=64, help="in the palette (default: %(default)s)")
    args = parser.parse_args()
    ranges = {"start": (0, 1e9), "frames": (1, 1e9), "every": (1, 1e9), "width": (8, 4096)}
    for name, (low, high) in (ranges | {"colours": (8, 256)}).items():
        if not low <= getattr(args, name) <= high:
            parser.error(f"--{name} must be between {low} and {high:.0f}")
    if not args.gif.parent.is_dir():
        parser.error(f"there is no folder {args.gif.parent}")
    if not args.video.is_file():
        parser.error(f"there is no file {args.video}; evaluate.py <run> --video writes one")

    import imageio.v2 as imageio

    try:
        reader = imageio.get_reader(args.video, format="FFMPEG")
    except (RuntimeError, OSError, IndexError):
        raise runs.RunError(f"{args.video} is not a video") from None
    with reader:
        seconds = args.every / reader.get_meta_data()["fps"]
        pictures = itertools.islice(reader, args.start, args.start + args.frames, args.every)
        count = save(pictures, args.gif, args.width, seconds, args.colours)
    size = args.gif.stat().st_size / 1e6
    print(f"{count} pictures, {size:.2f} MB written to {args.gif}")


if __name__ == "__main__":
    cli.run(main)
