"""The shipped image suite: shapes, colours, counts, places, text in a picture and charts, four levels."""

from collections.abc import Iterator, Sequence
from random import Random

from vertex_vllm.evaluation.suites.generated.draft import BRIEFLY, LEVELS, Category, Draft, exact, items_of, number
from vertex_vllm.evaluation.suites.generated.drawing import PAINT, SHAPES, SIZE, Figure, bar_chart, lettering, picture
from vertex_vllm.evaluation.suites.generated.words import ANIMALS, FRUITS, NAMES, THINGS
from vertex_vllm.evaluation.suites.item import Item

SEED = "vertex-vllm image suite 1"
PER_LEVEL = 14
_NUMBER = "Answer with the number alone."
_GRID = 4
_CELL = SIZE // _GRID


def shapes(random: Random, level: int) -> Sequence[Draft]:
    if level == 1:
        shape = random.choice(SHAPES)
        figure = Figure(shape, random.choice(list(PAINT)), SIZE // 2, SIZE // 2, random.randint(40, 90))
        return [
            Draft(f"Which shape is in the picture: {_or(SHAPES)}? {BRIEFLY}", exact(shape), content=picture([figure]))
        ]
    figures = _scattered(random, (2, 3, 5, 6)[level - 1], distinct=True)
    asked = random.choice(figures)
    if level < 4:
        prompt = f"Which shape is {asked.color}? {BRIEFLY}"
        return [Draft(prompt, exact(asked.shape), content=picture(figures))]
    second, largest = sorted(figures, key=lambda figure: figure.radius)[-2:]
    if largest.radius - second.radius < 3:
        return []
    return [Draft(f"Which shape is the largest? {BRIEFLY}", exact(largest.shape), content=picture(figures))]


def colors(random: Random, level: int) -> Sequence[Draft]:
    figures = _scattered(random, (1, 2, 4, 6)[level - 1], distinct=True)
    asked = random.choice(figures)
    if level == 4:
        highest, second = sorted(figures, key=lambda figure: figure.y - figure.radius)[:2]
        if second.y - second.radius - highest.y + highest.radius < _CELL // 2:
            return []
        prompt = f"Which colour has the shape that is nearest to the upper edge? {BRIEFLY}"
        return [Draft(prompt, exact(highest.color), content=picture(figures))]
    return [Draft(f"Which colour has the {asked.shape}? {BRIEFLY}", exact(asked.color), content=picture(figures))]


def counts(random: Random, level: int) -> Sequence[Draft]:
    """Level 1 up to 3 of one kind, then more, then of one shape or colour among others."""
    shape, color = random.choice(SHAPES), random.choice(list(PAINT))
    if level <= 2:
        figures = _scattered(random, random.randint(1, 3) if level == 1 else random.randint(4, 9))
        same = [Figure(shape, color, each.x, each.y, each.radius) for each in figures]
        prompt = f"How many {_plural(shape)} are in the picture? {_NUMBER}"
        return [Draft(prompt, number(len(same)), content=picture(same))]
    figures = _scattered(random, 7 if level == 3 else 14)
    if level == 3:
        many = sum(figure.color == figures[0].color for figure in figures)
        prompt = f"How many shapes are {figures[0].color}? {_NUMBER}"
    else:
        many = sum(figure.shape == figures[0].shape for figure in figures)
        prompt = f"How many {_plural(figures[0].shape)} are in the picture? {_NUMBER}"
    return [Draft(prompt, number(many), content=picture(figures))]


def places(random: Random, level: int) -> Sequence[Draft]:
    figures = _scattered(random, level + 1, distinct=True)
    first, second = random.sample(figures, 2)
    if abs(first.x - second.x) < _CELL:
        return []
    if level <= 2:
        answer = "left" if first.x < second.x else "right"
        prompt = f"Is the {first.shape} to the left or to the right of the {second.shape}? Answer left or right."
        return [Draft(prompt, exact(answer), content=picture(figures))]
    row = sorted(figures, key=lambda figure: figure.x)
    if len({figure.x // (_CELL // 2) for figure in row}) < len(row):
        return []
    if level == 3:
        return [Draft(f"Which shape is furthest to the left? {BRIEFLY}", exact(row[0].shape), content=picture(figures))]
    names = ", ".join(figure.shape for figure in row)
    prompt = "Name all shapes from left to right. Answer with the shapes alone, separated by commas."
    return [Draft(prompt, exact(names), content=picture(figures))]


def texts(random: Random, level: int) -> Sequence[Draft]:
    words = [word.upper() for word in random.sample([*ANIMALS, *FRUITS, *THINGS], 4)]
    if level == 1:
        return [_read("Which word is in the picture?", words[0], 44, random)]
    if level == 2:
        return [_read("Which number is in the picture?", str(random.randint(1000, 99999)), 36, random)]
    if level == 3:
        code = "".join(random.choice("ABCDEFGHJKLMNPRSTUVWXYZ23456789") for _ in range(8))
        return [_read("Which code is in the picture?", code, 26, random)]
    rows = [f"{name} {random.randint(100, 999)}" for name in random.sample(NAMES, 5)]
    name, value = random.choice(rows).split()
    content = lettering("\n".join(rows), 17)
    return [Draft(f"Which number stands beside {name}? {_NUMBER}", number(float(value)), content=content)]


def charts(random: Random, level: int) -> Sequence[Draft]:
    """Two questions on one bar chart."""
    names = random.sample([fruit for fruit in FRUITS if len(fruit) <= 5], level + 2 if level < 4 else 5)
    values = random.sample(range(4, 60) if level < 4 else range(40, 60), len(names))
    bars = list(zip(names, values, strict=True))
    content = bar_chart(bars, numbered=level != 4)
    tallest, shortest = max(bars, key=lambda bar: bar[1])[0], min(bars, key=lambda bar: bar[1])[0]
    asked = [Draft(f"Which bar is the tallest? {BRIEFLY}", exact(tallest), content=content)]
    if level in (2, 3):
        name, value = random.choice(bars)
        asked.append(Draft(f"Which value has {name}? {_NUMBER}", number(value), content=content))
    if level == 3:
        first, second = random.sample(bars, 2)
        prompt = f"What is the sum of {first[0]} and {second[0]}? {_NUMBER}"
        asked[0] = Draft(prompt, number(first[1] + second[1]), content=content)
    if level == 4:
        asked.append(Draft(f"Which bar is the shortest? {BRIEFLY}", exact(shortest), content=content))
    return asked


CATEGORIES = (
    Category("shapes", shapes),
    Category("colours", colors),
    Category("counts", counts),
    Category("places", places),
    Category("texts", texts),
    Category("charts", charts),
)


def image_items(levels: Sequence[int] = LEVELS) -> Iterator[Item]:
    """336 items: 14 of each level of each category; of `levels` alone where they are given."""
    for category in CATEGORIES:
        yield from items_of(category, SEED, PER_LEVEL, levels)


def _scattered(random: Random, count: int, distinct: bool = False) -> list[Figure]:
    """Figures in cells of a grid, so that none touches another; `distinct`: no shape and no colour twice."""
    cells = random.sample(range(_GRID * _GRID), count)
    kinds = random.sample(SHAPES, count) if distinct and count <= len(SHAPES) else random.choices(SHAPES, k=count)
    paints = (
        random.sample(list(PAINT), count) if distinct and count <= len(PAINT) else random.choices(list(PAINT), k=count)
    )
    return [
        Figure(
            shape,
            color,
            cell % _GRID * _CELL + _CELL // 2 + random.randint(-6, 6),
            cell // _GRID * _CELL + _CELL // 2 + random.randint(-6, 6),
            random.randint(12, 21),
        )
        for shape, color, cell in zip(kinds, paints, cells, strict=True)
    ]


def _read(question: str, text: str, size: int, random: Random) -> Draft:
    content = lettering(text, size, random.choice(("black", "red", "blue", "green")))
    return Draft(f"{question} {BRIEFLY}", exact(text), content=content)


def _or(names: Sequence[str]) -> str:
    return f"{', '.join(names[:-1])} or {names[-1]}"


def _plural(shape: str) -> str:
    return f"{shape}es" if shape == "cross" else f"{shape}s"
