"""Questions on a text or a table that the prompt holds, short ones and long ones."""

from collections.abc import Sequence
from random import Random

from vertex_vllm.evaluation.suites.checks import Exact, Form, Number
from vertex_vllm.evaluation.suites.generated.draft import BRIEFLY, Draft, exact, number
from vertex_vllm.evaluation.suites.generated.words import (
    ANIMALS,
    CITIES,
    COLORS,
    FRUITS,
    NAMES,
    THINGS,
    TRADES,
    WEEKDAYS,
)

_PEOPLE = {1: 1, 2: 3, 3: 7, 4: 16}
_ROWS = {1: 2, 2: 4, 3: 7, 4: 12}
_FILLER = {1: 10, 2: 22, 3: 120, 4: 420}


def extraction(random: Random, level: int) -> Sequence[Draft]:
    """Three questions on one text about people."""
    names = random.sample(NAMES, _PEOPLE[level])
    people = {
        name: (random.choice(TRADES), random.choice(CITIES), random.randint(21, 79), random.choice(ANIMALS))
        for name in names
    }
    told = [
        f"{name} is a {trade} from {city}, is {age} years old and has a {animal}."
        for name, (trade, city, age, animal) in people.items()
    ]
    random.shuffle(told)
    name = random.choice(list(people))
    _, city, age, animal = people[name]
    asked: list[tuple[str, Exact | Number]] = [
        (f"Which city does {name} come from?", exact(city)),
        (f"How old is {name}?", number(age)),
        (f"Which animal does {name} have?", exact(animal, f"a {animal}")),
    ]
    if level == 4:
        older = [other for other, facts in people.items() if facts[2] > age]
        asked[0] = (f"How many people of the text are older than {name}?", number(len(older)))
    return [Draft(f"{' '.join(told)}\n{question} {BRIEFLY}", check) for question, check in asked]


def tables(random: Random, level: int) -> Sequence[Draft]:
    """Three questions on one table of stock."""
    goods = random.sample([*FRUITS, *THINGS], _ROWS[level])
    rows = {name: (random.randint(2, 98), random.randint(1, 60)) for name in goods}
    table = "| article | stock | price |\n|---|---|---|\n"
    table += "\n".join(f"| {name} | {stock} | {price} |" for name, (stock, price) in rows.items())
    name, other = random.sample(goods, 2)
    asked: list[tuple[str, Exact | Number]] = [
        (f"What is the stock of {name}? Answer with the number alone.", number(rows[name][0])),
        (f"What is the price of {other}? Answer with the number alone.", number(rows[other][1])),
    ]
    if level == 1:
        asked = asked[:2]
    elif level == 2:
        dearest = max(rows, key=lambda each: (rows[each][1], each))
        if [price for _, price in rows.values()].count(rows[dearest][1]) == 1:
            asked.append((f"Which article has the highest price? {BRIEFLY}", exact(dearest)))
    elif level == 3:
        total = rows[name][0] + rows[other][0]
        asked.append(
            (f"What is the stock of {name} and {other} together? Answer with the number alone.", number(total))
        )
    else:
        least = random.randint(20, 40)
        many = sum(price > least for _, price in rows.values())
        asked[0] = (f"How many articles have a price above {least}? Answer with the number alone.", number(many))
        worth = sum(stock * price for stock, price in list(rows.values())[:3])
        asked.append(
            (
                "What are the first three rows worth, stock times price summed? Answer with the number alone.",
                number(worth),
            )
        )
    return [Draft(f"{table}\n\n{question}", check) for question, check in asked]


def recall(random: Random, level: int) -> Sequence[Draft]:
    """A code word at the very beginning of a long text, asked for at its end: a context that is cut short loses it."""
    code = f"{random.choice(COLORS)} {random.choice(ANIMALS)}"
    lines = [
        f"On {random.choice(WEEKDAYS)} {random.choice(NAMES)} bought a {random.choice(FRUITS)} and sold a "
        f"{random.choice(THINGS)} in {random.choice(CITIES)}."
        for _ in range(_FILLER[level])
    ]
    prompt = f"The code word is {code}.\n{' '.join(lines)}\nWhich two words are the code word? {BRIEFLY}"
    return [Draft(prompt, exact(code, f"The code word is {code}"))]


def copying(random: Random, level: int) -> Sequence[Draft]:
    """Texts to repeat: a stop string, a wrong template or lost tokens show at once."""
    if level == 1:
        word = random.choice([*ANIMALS, *FRUITS, *THINGS])
        return [Draft(f"Repeat this word and nothing else: {word}", exact(word), max_tokens=16)]
    if level == 2:
        text = " ".join(random.sample([*ANIMALS, *FRUITS], 4))
        return [Draft(f"Repeat these words and nothing else: {text}", exact(text))]
    if level == 3:
        words = random.sample([*ANIMALS, *FRUITS, *THINGS], 6)
        prompt = f"Repeat these words in the opposite order, separated by blanks, and nothing else: {' '.join(words)}"
        return [Draft(prompt, exact(" ".join(reversed(words))))]
    code = "".join(random.choice("abcdefghjkmnpqrstuvwxyz23456789") for _ in range(12))
    return [Draft(f"Write this code backwards, and nothing else: {code}", exact(code[::-1]))]


def stopping(random: Random, level: int) -> Sequence[Draft]:
    """The request names a stop string: an answer that holds it was not stopped."""
    if level == 1:
        words = random.sample([*ANIMALS, *FRUITS], 5)
        stop = words[3]
        prompt = f"Repeat these words, separated by blanks: {' '.join(words)}"
        check = Form(kind="form", includes=words[:2], excludes=[stop, words[4]])
        return [Draft(prompt, check, stop=(stop,))]
    first = random.randint(1, 40 * level)
    stop, last = str(first + 3 + level), first + 9 + level
    prompt = f"Count from {first} to {last}, separated by commas. Answer with the numbers alone."
    check = Form(kind="form", includes=[str(first + number) for number in range(3)], excludes=[stop])
    return [Draft(prompt, check, stop=(stop,), max_tokens=64)]
