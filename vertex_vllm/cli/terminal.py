"""Text that somebody else wrote, on a terminal of ours."""


def plain(text: str) -> str:
    """`text` without what could steer a terminal; line breaks stay."""
    return "".join(character for character in text if character.isprintable() or character == "\n")
