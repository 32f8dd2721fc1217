"""Numbers in words."""

_ONES = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"),
    *("thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"),
)
_TENS = ("-", "-", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_GERMAN_ONES = ("null", "ein", "zwei", "drei", "vier", "fünf", "sechs", "sieben", "acht", "neun")
_GERMAN_TENS = ("-", "-", "zwanzig", "dreißig", "vierzig", "fünfzig", "sechzig", "siebzig", "achtzig", "neunzig")
_ROMAN = (
    *((1000, "M"), (900, "CM"), (500, "D"), (400, "CD"), (100, "C"), (90, "XC"), (50, "L"), (40, "XL")),
    *((10, "X"), (9, "IX"), (5, "V"), (4, "IV"), (1, "I")),
)


def english(value: int) -> str:
    """0 to 9999, American: without "and"."""
    if value < 20:
        return _ONES[value]
    if value < 100:
        tens, ones = divmod(value, 10)
        return _TENS[tens] + (f"-{_ONES[ones]}" if ones else "")
    size, word = (100, "hundred") if value < 1000 else (1000, "thousand")
    head, rest = divmod(value, size)
    return f"{english(head)} {word}" + (f" {english(rest)}" if rest else "")


def german(value: int) -> str:
    """21 to 99."""
    tens, ones = divmod(value, 10)
    return f"{_GERMAN_ONES[ones]}und{_GERMAN_TENS[tens]}" if ones else _GERMAN_TENS[tens]


def roman(value: int) -> str:
    """1 to 3999."""
    told = ""
    for size, figure in _ROMAN:
        count, value = divmod(value, size)
        told += figure * count
    return told
