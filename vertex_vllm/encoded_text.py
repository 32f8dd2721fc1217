"""Text in files that people save: UTF-8 is read, and any other encoding is called by its name.

Editors and PowerShell's `>` on Windows write UTF-16 or begin UTF-8 with a byte order mark.
"""

import codecs

# Longer marks first: the one of UTF-32 in little-endian order begins with the one of UTF-16.
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def encoding_of(data: bytes) -> str:
    """Python's name of the encoding that the first four bytes of a text point to; utf-8-sig without a sign of another.

    Two characters of ASCII in UTF-16 are recognised without a byte order mark, too.
    """
    marked = next((encoding for mark, encoding in _MARKS if data.startswith(mark)), "")
    if marked or len(data) < 4:
        return marked or "utf-8-sig"
    zeros = [byte == 0 for byte in data[:4]]
    if zeros == [False, True, False, True]:
        return "utf-16-le"
    return "utf-16-be" if zeros == [True, False, True, False] else "utf-8-sig"


def utf8_text(data: bytes) -> str:
    """The text in UTF-8 bytes, without a byte order mark. Raises ValueError that names another encoding."""
    encoding = encoding_of(data)
    if encoding != "utf-8-sig":
        raise ValueError(f"is in {encoding[:6].upper()}, not in UTF-8. Save it as UTF-8")
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        raise ValueError(f"is not UTF-8 text: byte {error.start} cannot be read. Save it as UTF-8") from None


def readable_text(data: bytes) -> str:
    """The text in its own encoding, with U+FFFD for each byte that cannot be read: to recognise a file by."""
    return data.decode(encoding_of(data), "replace")
