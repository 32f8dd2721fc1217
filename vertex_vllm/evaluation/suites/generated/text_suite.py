"""The shipped text suite: fifteen categories, four levels."""

from collections.abc import Iterator, Sequence

from vertex_vllm.evaluation.suites.generated import calculating, following, given_texts
from vertex_vllm.evaluation.suites.generated.draft import BRIEFLY, LEVELS, Category, items_of
from vertex_vllm.evaluation.suites.item import Item

SEED = "vertex-vllm text suite 1"
"""Another seed is another suite: results on one are not compared with results on the other."""
PER_LEVEL = 12
_NUMBER = "Answer with the number alone."

CATEGORIES = (
    Category(
        "arithmetic", calculating.arithmetic, ((f"What is 3 + 1? {_NUMBER}", "4"), (f"What is 20 - 8? {_NUMBER}", "12"))
    ),
    Category("units", calculating.units, ((f"How many hours are 5 days? {_NUMBER}", "120"),)),
    Category("dates", calculating.dates, ((f"Which day comes right after Saturday? {BRIEFLY}", "Sunday"),)),
    Category("order", calculating.order, ((f"Which number is larger, 101 or 120? {_NUMBER}", "120"),)),
    Category("numbers", calculating.numbers, ((f'Write the number "one hundred" in digits. {_NUMBER}', "100"),)),
    Category("extraction", given_texts.extraction, ((f"Zoe lives in Oslo.\nWhere does Zoe live? {BRIEFLY}", "Oslo"),)),
    Category(
        "tables",
        given_texts.tables,
        (
            (
                "| article | stock | price |\n|---|---|---|\n| soap | 3 | 9 |\n\n"
                "What is the stock of soap? Answer with the number alone.",
                "3",
            ),
        ),
    ),
    Category("recall", given_texts.recall),
    Category("copying", given_texts.copying, (("Repeat this word and nothing else: window", "window"),)),
    Category(
        "stopping", given_texts.stopping, (("Repeat these words, separated by blanks: tree river", "tree river"),)
    ),
    Category(
        "instructions",
        following.instructions,
        (("Write the word window in capital letters, and nothing else.", "WINDOW"),),
    ),
    Category("system", following.system_messages),
    Category(
        "json",
        following.json_objects,
        (
            (
                "Zoe is 9 years old. Write this as one JSON object with the keys name, age, and nothing else.",
                '{"name": "Zoe", "age": 9}',
            ),
        ),
    ),
    Category(
        "choices",
        following.choices,
        (("What is the opposite of left?\nA. right\nB. under\nAnswer with the letter alone.", "A"),),
    ),
    Category(
        "facts",
        following.facts,
        (
            (f"What is the capital of Ireland?\n{BRIEFLY}", "Dublin"),
            (f"How many legs does a spider have?\n{BRIEFLY}", "8"),
        ),
    ),
)


def text_items(levels: Sequence[int] = LEVELS) -> Iterator[Item]:
    """720 items: 12 of each level of each category; of `levels` alone where they are given."""
    for category in CATEGORIES:
        yield from items_of(category, SEED, PER_LEVEL, levels)
