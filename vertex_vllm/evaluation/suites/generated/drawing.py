"""Pictures of plain shapes, letters and bars, drawn without smoothing so that they compress to about a kilobyte."""

import io
import math
from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageFont

SIZE = 224
"""Pixels on each side: what most vision towers take without scaling."""
PAPER = "#ffffff"
INK = "#202020"
PAINT = {
    "red": "#d62728",
    "blue": "#1f4fd6",
    "green": "#2c9a2c",
    "yellow": "#f5d90a",
    "black": "#111111",
    "orange": "#ff8c1a",
    "purple": "#8a3fc2",
    "brown": "#7a4a21",
}
SHAPES = ("circle", "square", "triangle", "star", "cross", "diamond")


@dataclass(frozen=True)
class Figure:
    shape: str
    color: str
    x: int
    y: int
    """Pixels of the centre from the left and from the top."""
    radius: int


def picture(figures: Sequence[Figure]) -> bytes:
    """PNG of the figures on white."""
    image, draw = _sheet()
    for figure in figures:
        _figure(draw, figure)
    return _png(image)


def lettering(text: str, size: int, color: str = "black") -> bytes:
    """PNG of the text in the middle, one line per line of `text`; `size` in pixels."""
    image, draw = _sheet()
    font = ImageFont.load_default(size)
    draw.multiline_text((SIZE / 2, SIZE / 2), text, fill=PAINT[color], font=font, anchor="mm", align="center")
    return _png(image)


def bar_chart(bars: Sequence[tuple[str, int]], numbered: bool) -> bytes:
    """PNG of vertical bars with their names below; with `numbered`, each with its value above."""
    image, draw = _sheet()
    font = ImageFont.load_default(13)
    top, foot = 30, SIZE - 34
    most, width = max(value for _, value in bars), (SIZE - 20) / len(bars)
    draw.line((10, foot, SIZE - 10, foot), fill=INK, width=2)
    for number, ((name, value), color) in enumerate(zip(bars, PAINT.values(), strict=False)):
        left = 10 + number * width + 6
        height = (foot - top) * value / most
        draw.rectangle((left, foot - height, left + width - 12, foot), fill=color)
        middle = left + (width - 12) / 2
        draw.text((middle, foot + 14), name, fill=INK, font=font, anchor="mm")
        if numbered:
            draw.text((middle, foot - height - 10), str(value), fill=INK, font=font, anchor="mm")
    return _png(image)


def _sheet() -> tuple[Image.Image, ImageDraw.ImageDraw]:
    image = Image.new("RGB", (SIZE, SIZE), PAPER)
    return image, ImageDraw.Draw(image)


def _figure(draw: ImageDraw.ImageDraw, figure: Figure) -> None:
    x, y, r, fill = figure.x, figure.y, figure.radius, PAINT[figure.color]
    if figure.shape == "circle":
        draw.ellipse((x - r, y - r, x + r, y + r), fill=fill)
    elif figure.shape == "square":
        draw.rectangle((x - r, y - r, x + r, y + r), fill=fill)
    elif figure.shape == "cross":
        draw.rectangle((x - r, y - r // 3, x + r, y + r // 3), fill=fill)
        draw.rectangle((x - r // 3, y - r, x + r // 3, y + r), fill=fill)
    else:
        corners = {"triangle": 3, "diamond": 4, "star": 10}[figure.shape]
        points = []
        for corner in range(corners):
            reach = r * (0.42 if figure.shape == "star" and corner % 2 else 1)
            angle = 2 * math.pi * corner / corners - math.pi / 2
            points.append((round(x + reach * math.cos(angle)), round(y + reach * math.sin(angle))))
        draw.polygon(points, fill=fill)


def _png(image: Image.Image) -> bytes:
    """PNG with a palette, as the colours are few. One version of Pillow gives the same bytes for the same pixels."""
    file = io.BytesIO()
    image.quantize(colors=32, dither=Image.Dither.NONE).save(file, "PNG")
    return file.getvalue()
