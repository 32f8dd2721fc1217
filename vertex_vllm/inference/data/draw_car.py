"""Draws car.png, the picture that the smoke tests ask about. Run it to draw the file again:

python -m vertex_vllm.inference.data.draw_car
"""

from pathlib import Path

from PIL import Image, ImageDraw

SIZE = (256, 192)
PATH = Path(__file__).with_name("car.png")


def draw_car() -> Image.Image:
    """A red car on a grey road, under a blue sky with a yellow sun."""
    picture = Image.new("RGB", SIZE, "#9fd0f5")
    draw = ImageDraw.Draw(picture)
    draw.ellipse((200, 14, 240, 54), fill="#ffd23c")
    draw.rectangle((0, 112, 256, 136), fill="#5fa653")
    draw.rectangle((0, 136, 256, 192), fill="#6b6f76")
    for left in range(8, 256, 52):
        draw.rectangle((left, 162, left + 28, 167), fill="#f4f4f0")
    draw.polygon([(76, 100), (98, 68), (160, 68), (186, 100)], fill="#b3202a")
    draw.polygon([(88, 98), (102, 75), (126, 75), (126, 98)], fill="#d9eefb")
    draw.polygon([(132, 98), (132, 75), (156, 75), (173, 98)], fill="#d9eefb")
    draw.rounded_rectangle((40, 98, 218, 136), radius=12, fill="#d42b36")
    draw.rectangle((210, 106, 218, 115), fill="#ffeaa0")
    for left in (62, 160):
        draw.ellipse((left, 118, left + 36, 154), fill="#22242a")
        draw.ellipse((left + 10, 128, left + 26, 144), fill="#c9ccd1")
    return picture


if __name__ == "__main__":
    draw_car().save(PATH, optimize=True)
