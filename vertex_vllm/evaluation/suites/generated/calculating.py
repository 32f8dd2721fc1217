"""Arithmetic, units of measure, dates, order, and numbers in words."""

from collections.abc import Sequence
from datetime import date, timedelta
from random import Random

from vertex_vllm.evaluation.suites.generated.draft import BRIEFLY, Draft, exact, number
from vertex_vllm.evaluation.suites.generated.spoken_numbers import english, german, roman
from vertex_vllm.evaluation.suites.generated.words import ANIMALS, FRUITS, MONTHS, THINGS, WEEKDAYS

_NUMBER = "Answer with the number alone."


def arithmetic(random: Random, level: int) -> Sequence[Draft]:
    if level == 1:
        a, b = random.randint(1, 9), random.randint(1, 9)
        return [Draft(f"What is {a} + {b}? {_NUMBER}", number(a + b))]
    if level == 2:
        a, b = random.randint(11, 99), random.randint(11, 99)
        if random.random() < 0.5:
            return [Draft(f"What is {a} + {b}? {_NUMBER}", number(a + b))]
        return [Draft(f"What is {max(a, b)} - {min(a, b)}? {_NUMBER}", number(abs(a - b)))]
    if level == 3:
        a, b, c = random.randint(12, 49), random.randint(3, 9), random.randint(11, 99)
        return [Draft(f"What is {a} × {b} + {c}? {_NUMBER}", number(a * b + c))]
    a, b, c = random.randint(112, 989), random.randint(12, 98), random.randint(1112, 9889)
    return [Draft(f"What is {a} × {b} - {c}? {_NUMBER}", number(a * b - c))]


_SMALL = (("minutes", "hours", 60), ("days", "weeks", 7), ("months", "years", 12), ("hours", "days", 24))
_METRIC = (("centimetres", "metres", 100), ("grams", "kilograms", 1000), ("millimetres", "centimetres", 10))
_IMPERIAL = (("kilometres", "miles", 1.609344), ("kilograms", "pounds", 0.45359237), ("centimetres", "inches", 2.54))


def units(random: Random, level: int) -> Sequence[Draft]:
    if level == 1:
        small, large, factor = random.choice(_SMALL)
        count = random.randint(1, 4)
        return [Draft(f"How many {small} are {count} {large}? {_NUMBER}", number(count * factor))]
    if level == 2:
        small, large, factor = random.choice(_METRIC)
        count = random.randint(2, 60)
        return [Draft(f"How many {small} are {count} {large}? {_NUMBER}", number(count * factor))]
    if level == 3:
        hours, minutes = random.randint(2, 19), random.randint(1, 59)
        return [
            Draft(f"How many minutes are {hours} hours and {minutes} minutes? {_NUMBER}", number(hours * 60 + minutes))
        ]
    unit, other, size = random.choice(_IMPERIAL)
    count = random.randint(13, 480)
    return [
        Draft(
            f"How many {unit} are {count} {other}? Round to one decimal. {_NUMBER}",
            number(count * size, relative=0.005),
        )
    ]


def dates(random: Random, level: int) -> Sequence[Draft]:
    if level == 1:
        names = random.choice((WEEKDAYS, MONTHS))
        kind = "day" if names is WEEKDAYS else "month"
        start, after = random.randrange(len(names)), random.random() < 0.6
        word, step = ("after", 1) if after else ("before", -1)
        answer = names[(start + step) % len(names)]
        return [Draft(f"Which {kind} comes right {word} {names[start]}? {BRIEFLY}", exact(answer))]
    if level == 2:
        start, step = random.randrange(7), random.randint(2, 6)
        prompt = f"Today is {WEEKDAYS[start]}. Which day of the week is it in {step} days? {BRIEFLY}"
        return [Draft(prompt, exact(WEEKDAYS[(start + step) % 7]))]
    first = date(2021, 1, 1) + timedelta(days=random.randrange(3000))
    if level == 3:
        later = first + timedelta(days=random.randint(9, 45))
        prompt = f"Which date is {(later - first).days} days after {first.isoformat()}? Answer as YYYY-MM-DD."
        return [Draft(prompt, exact(later.isoformat()))]
    later = first + timedelta(days=random.randint(70, 700))
    prompt = f"How many days are there from {first.isoformat()} to {later.isoformat()}? {_NUMBER}"
    return [Draft(prompt, number((later - first).days))]


def order(random: Random, level: int) -> Sequence[Draft]:
    if level == 1:
        a, b = random.sample(range(1, 100), 2)
        word, answer = random.choice((("larger", max(a, b)), ("smaller", min(a, b))))
        return [Draft(f"Which number is {word}, {a} or {b}? {_NUMBER}", number(answer))]
    if level == 2:
        values = random.sample(range(1, 100), 3)
        text = ", ".join(map(str, values))
        return [
            Draft(
                f"Sort from the smallest to the largest: {text}. Answer with the numbers alone, separated by commas.",
                exact(", ".join(map(str, sorted(values)))),
            )
        ]
    if level == 3:
        words = random.sample([*ANIMALS, *FRUITS, *THINGS], 6)
        return [
            Draft(
                f"Sort alphabetically: {', '.join(words)}. Answer with the words alone, separated by commas.",
                exact(", ".join(sorted(words))),
            )
        ]
    decimals = [f"{random.randint(1, 9)}.{random.randint(1, 99):02}" for _ in range(8)]
    ordered = ", ".join(sorted(decimals, key=float, reverse=True))
    prompt = (
        f"Sort from the largest to the smallest: {', '.join(decimals)}. "
        "Answer with the numbers alone, separated by commas."
    )
    return [Draft(prompt, exact(ordered), max_tokens=96)] if len(set(decimals)) == len(decimals) else []


def numbers(random: Random, level: int) -> Sequence[Draft]:
    """Numbers between digits and words, in English, German and Roman figures."""
    if level == 1:
        value = random.randint(1, 20)
        return [Draft(f'Write the number "{english(value)}" in digits. {_NUMBER}', number(value))]
    if level == 2:
        value = random.randint(21, 99)
        if random.random() < 0.5:
            return [Draft(f'Write the number "{english(value)}" in digits. {_NUMBER}', number(value))]
        return [Draft(f"Write the number {value} in English words. {BRIEFLY}", exact(english(value)))]
    if level == 3:
        value = random.randint(1001, 9999)
        if random.random() < 0.5:
            return [Draft(f'Write the number "{english(value)}" in digits. {_NUMBER}', number(value))]
        small = random.randint(21, 99)
        return [Draft(f'The German number "{german(small)}", in digits? {_NUMBER}', number(small))]
    value = random.randint(145, 2999)
    if random.random() < 0.5:
        return [Draft(f"Write {value} in Roman numerals. {BRIEFLY}", exact(roman(value)))]
    return [Draft(f"Write the binary number {value:b} in decimal digits. {_NUMBER}", number(value))]
