"""report.gifs: a video becomes a small GIF that plays as long, and keeps what is small and red."""

from __future__ import annotations

import imageio.v2 as imageio
import numpy as np
import pytest
from PIL import Image

import runs
from report import gifs


@pytest.fixture
def video(tmp_path):
    """30 frames of 128x64 at 50 a second: a red square of 12 wanders over green."""
    file = tmp_path / "drive.mp4"
    with imageio.get_writer(file, fps=50, codec="libx264") as writer:
        for t in range(30):
            picture = np.tile(np.array([100, 200, 100], np.uint8), (64, 128, 1))
            picture[20:32, 4 * t : 4 * t + 12] = 255, 0, 0
            writer.append_data(picture)
    return file


def run(monkeypatch, *words) -> None:
    monkeypatch.setattr("sys.argv", ["gifs", *map(str, words)])
    gifs.main()


def test_a_video_becomes_a_gif(video, tmp_path, monkeypatch):
    file = tmp_path / "drive.gif"
    run(monkeypatch, video, file, "--start", 5, "--frames", 20, "--width", 64)
    with Image.open(file) as gif:
        assert gif.n_frames == 4 and gif.size == (64, 32) and gif.info["duration"] == 100
        for i in range(4):
            gif.seek(i)
            red, green, blue = gif.convert("RGB").getpixel((2 * (5 + 5 * i) + 3, 13))
            assert red > 180 and green < 70 and blue < 70


def test_what_is_no_video_is_refused(video, tmp_path, monkeypatch):
    file = tmp_path / "drive.gif"
    with pytest.raises(runs.RunError, match="ends before --start"):
        run(monkeypatch, video, file, "--start", 100)
    text = tmp_path / "text.mp4"
    text.write_text("no video")
    with pytest.raises(runs.RunError, match="not a video"):
        run(monkeypatch, text, file)
    for words in ((tmp_path / "none.mp4", file), (video, file, "--every", 0)):
        with pytest.raises(SystemExit):
            run(monkeypatch, *words)
    assert not file.exists()
