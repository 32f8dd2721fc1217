"""Patterns of tokens, keys and signed URLs, in plain text and escaped for HTML, JSON and URLs, once or several times.

Repetitions in the patterns are bounded, so that redacting a hostile text takes time in proportion to its length.
Each pattern's group 1 is the text before the secret, which stays: the name of a header, a field or a query's parameter.
"""

import base64
import re
from collections.abc import Iterable
from html.entities import codepoint2name

REDACTED = "[redacted]"
_NOT_YET = r"(?!\[redacted\])"
_ENTITIES = {chr(code): name for code, name in codepoint2name.items()} | {
    **{"'": "apos", "=": "equals", "/": "sol", ":": "colon", "+": "plus", "_": "lowbar", "-": "hyphen"},
    **{"?": "quest", "%": "percnt", "#": "num", "@": "commat", "\\": "bsol", ";": "semi", ",": "comma", ".": "period"},
}
# Base64 in mail and PEM, terminals and logs break long lines, and indent what follows.
_LINE_BREAK = r"(?:(?:\\{1,7}[rn]|=?[\r\n]){1,4}[ \t]{0,80})?"


def _escaped(character: str) -> str:
    """Pattern of a character in every escaping, several deep: of `&`, `&amp;`, `&#38;`, `\\u0026`, `\\46`, `%2526`."""
    code = f"0{{0,5}}{ord(character):x}"
    entity = f"{_ENTITIES[character]};|" if character in _ENTITIES else ""
    in_html = rf"&(?:amp;){{0,5}}(?:{entity}#0{{0,5}}{ord(character)};|#x{code};)"
    in_url = "".join(f"%(?:25){{0,5}}{byte:02x}" for byte in character.encode("utf-8", "surrogatepass"))
    return rf"{in_html}|\\{{1,7}}(?:[ux]{code}|0{{0,2}}{ord(character):o}(?![0-7]))|{in_url}"


def _form(character: str) -> str:
    """Pattern of a character as it is, or in any escaping."""
    return rf"(?i:{_escaped(character)}|\\{{0,7}}{re.escape(character)})"


_AMPERSAND, _EQUALS, _SLASH, _COLON = (_form(character) for character in "&=/:")
# A quotation mark may be escaped for JSON first and for a page or an address after it: `\\&quot;`, `%5C%22`.
_BACKSLASHES = rf"(?>(?:(?i:{_escaped(chr(92))})|\\(?=[\\\"'&%])){{0,15}})"
_QUOTE = f"(?:{_BACKSLASHES}(?:{_form(chr(34))}|{_form(chr(39))}))"
_BLANK = r"(?:\s|\+|%(?:25){0,5}20|&(?:amp;){0,5}(?:#32|#x0{0,4}20|nbsp);|\\{1,7}(?:[nrt]|u0020|x20))"
# Separators inside tokens and names, which thorough escapers escape, too.
_UNDERSCORE, _HYPHEN, _DOT = (_form(character) for character in "_-.")
_JOINT = rf"(?:[._-]|(?i:{'|'.join(_escaped(character) for character in '_-.')}))"
_WORD = rf"(?:[A-Za-z0-9]|{_JOINT})"
# Not inside a word; a blank or a line break before it may be escaped, and then ends with a letter or a digit.
_START = (
    r"(?:(?<![A-Za-z0-9])|(?<=%[0-9A-Fa-f]{2})|(?<=%25[0-9A-Fa-f]{2})|(?<=%2525[0-9A-Fa-f]{2})"
    r"|(?<=\\[nrt])|(?<=\\u[0-9A-Fa-f]{4})|(?<=\\x[0-9A-Fa-f]{2}))"
)

_TOKENS = (
    rf"hf{_UNDERSCORE}[A-Za-z0-9]{{16,}}",
    rf"(?:hf{_UNDERSCORE}(?:oauth|jwt)|api{_UNDERSCORE}org){_JOINT}{{1,4}}{_WORD}{{12,}}",
    rf"ya29{_DOT}{_WORD}{{8,}}",
    # Google's refresh tokens and authorisation codes, client secrets, API keys, HMAC keys.
    rf"(?:1{_SLASH}{_SLASH}|4{_SLASH})0{_WORD}{{16,}}",
    rf"GOCSPX{_HYPHEN}{_WORD}{{16,}}",
    rf"AIza{_WORD}{{30,}}",
    r"GOOG1[A-Z0-9]{30,}",
    rf"(?:gh[oprsu]{_UNDERSCORE}|github{_UNDERSCORE}pat{_UNDERSCORE}|glpat{_HYPHEN}){_WORD}{{16,}}",
    r"(?:AKIA|ASIA)[A-Z0-9]{16}",
    rf"(?:sk|xox[a-z]|nvapi){_HYPHEN}{_WORD}{{20,}}",
    rf"(?:npm{_UNDERSCORE}|dckr{_UNDERSCORE}pat{_UNDERSCORE}|pypi{_HYPHEN}){_WORD}{{20,}}",
    rf"[rs]k{_UNDERSCORE}(?:live|test){_UNDERSCORE}[A-Za-z0-9]{{16,}}",
    r"dapi[0-9a-f]{32}",
    # A signed identity (JWT), as Xet's tokens are.
    rf"eyJ[A-Za-z0-9_-]{{8,}}{_DOT}{_WORD}{{8,}}",
)
_HEADERS = f"(?:proxy{_HYPHEN})?authorization"
# After these words follows the credential; after the other words, the rest of the line is one.
_SCHEMES = "bearer|basic|token|negotiate|ntlm|dpop|apikey|googlelogin"
_LONG_SCHEMES = "digest|aws4-hmac-sha256|goog4-(?:rsa|hmac)-sha256|hmac".replace("-", _HYPHEN)
_FIELDS = (
    rf"(?:access|refresh|id){_JOINT}?token|client{_JOINT}?secret|x{_JOINT}xet{_JOINT}(?:access{_JOINT})?token"
    rf"|x{_JOINT}(?:goog{_JOINT})?api{_JOINT}key|hf{_UNDERSCORE}token|hugging{_JOINT}face{_JOINT}hub{_JOINT}token"
    "|password|passwd|passphrase"
)
# Names that end so hold a secret where the value is long: GITHUB_TOKEN, aws_secret_access_key, SessionToken, apiKey.
# A list method's next page is no secret.
_ENDINGS = rf"(?:(?<!page)(?<!page_)token|(?:api|access|secret|account|auth){_JOINT}?key)"
# Signed URLs: of Cloud Storage (V4, V2), of CloudFront and S3 (the Hub redirects to them), of Azure.
_QUERY = (
    "x-goog-signature|x-goog-credential|x-amz-signature|x-amz-credential|x-amz-security-token|signature|sig"
    "|googleaccessid|awsaccesskeyid|policy|key-pair-id|access-token|refresh-token|id-token|token|key|upload-id"
).replace("-", _JOINT)
# An entity is of its character, `&#x2f;` of a slash inside the value; an ampersand before the next name ends it.
_NEXT = rf"(?:(?i:{_escaped('&')})|\\{{0,7}}&(?!#|[A-Za-z]{{2,8}};))"
_ENDS_VALUE = rf"(?:{_NEXT}|{_QUOTE}|{_form('<')}|{_form('>')}|{_form(' ')}|\\{{1,7}}[nrt]|%(?:25){{0,5}}0[ad])"
_QUERY_VALUE = rf"(?:(?!{_ENDS_VALUE})[^\s)])+"
_FIELD_VALUE = rf"(?:(?!{_ENDS_VALUE})(?:&#?[A-Za-z0-9]{{1,8}};|[^\s,;)}}\]]))"
# Atomic: a blank that is given back would count as the beginning of the value.
_ASSIGNS = rf"(?>{_QUOTE}?{_BLANK}{{0,20}}(?:{_COLON}|{_EQUALS}|,){_BLANK}{{0,20}}(?:b(?=['\"]))?{_QUOTE}?)"
# As above, in one line and without the comma of Python's tuples. The value has digits, and is neither a number, as the
# seconds of `time_to_first_token` are, nor a resource's name.
_GAP = r"(?:[ \t]|\+|%(?:25){0,5}20|&(?:amp;){0,5}(?:#32|#x0{0,4}20|nbsp);|\\{1,7}[ux](?:00)?20)"
_GIVES = rf"(?>{_QUOTE}?{_GAP}{{0,4}}(?:{_COLON}|{_EQUALS}){_GAP}{{0,4}}(?:b(?=['\"]))?{_QUOTE}?)"
_NUMBER = r"-?[0-9]{1,40}(?:\.[0-9]{1,40})?(?:[eE][-+]?[0-9]{1,4})?(?![A-Za-z0-9+/_.~=%\\-])"
_LONG_CHARACTER = rf"(?:(?!{_ENDS_VALUE})(?:&#?[A-Za-z0-9]{{1,8}};|[A-Za-z0-9+/_.~=%\\-]))"
_LONG_VALUE = rf"(?!projects/|{_NUMBER})(?=[^\s]{{0,80}}[0-9]){_LONG_CHARACTER}{{20,}}"
# A command in a documented call, which the shell replaces by the token.
_COMMAND = r"\$\(gcloud auth "

SHAPES = tuple(
    re.compile(shape)
    for shape in (
        rf"(?s)()(?:{_HYPHEN}){{5}}BEGIN(?:[A-Z]|{_BLANK}){{0,40}}PRIVATE{_BLANK}{{1,20}}KEY(?:{_BLANK}{{1,20}}BLOCK)?"
        rf"(?:{_HYPHEN}){{5}}.*?(?:(?:{_HYPHEN}){{5}}END(?:[A-Z]|{_BLANK}){{0,40}}PRIVATE{_BLANK}{{1,20}}KEY"
        rf"(?:{_BLANK}{{1,20}}BLOCK)?(?:{_HYPHEN}){{5}}|$)",
        rf"(){_START}(?:{'|'.join(_TOKENS)})",
        rf"(?i)({_START}{_HEADERS}{_ASSIGNS}(?:{_LONG_SCHEMES}){_BLANK}{{1,20}}){_NOT_YET}(?:(?!\\{{1,7}}[nr])[^\r\n])+",
        rf"(?i)({_START}{_HEADERS}{_ASSIGNS}(?:(?:{_SCHEMES}){_BLANK}{{1,20}})?)"
        rf"(?!b?['\"]?\[redacted\]|(?:{_SCHEMES}|{_LONG_SCHEMES})\b|{_COMMAND}){_FIELD_VALUE}+",
        rf"(?i)({_START}(?:set-)?cookie{_ASSIGNS}){_NOT_YET}(?:(?!{_QUOTE}|\\{{1,7}}[nr]|%(?:25){{0,5}}0[ad])[^\r\n])+",
        rf"(?i)({_START}(?:{_FIELDS}){_ASSIGNS}){_NOT_YET}{_FIELD_VALUE}{{8,}}",
        rf"(?i)({_ENDINGS}{_GIVES}){_NOT_YET}{_LONG_VALUE}",
        rf"(?i)({_START}bearer{_BLANK}{{1,20}})[A-Za-z0-9._~+/-]{{16,}}=*",
        rf"(?i)((?:{_AMPERSAND}|{_form('?')}|{_form(';')})(?:{_QUERY}){_EQUALS}){_NOT_YET}{_QUERY_VALUE}",
        # The password of an address, `https://user:password@host`.
        rf"({_COLON}{_SLASH}{_SLASH}[A-Za-z0-9._~-]{{0,64}}{_COLON}){_NOT_YET}(?:(?!{_SLASH})[^\s'\"<>]){{1,256}}"
        rf"(?={_form('@')})",
    )
)


# The two digits of base64 that are others in URLs.
_DIGITS = {"+": f"(?:{_form('+')}|-)", "/": f"(?:{_form('/')}|_)"}


def forms_of(secret: str) -> tuple[re.Pattern[str], ...]:
    """Patterns of a known secret: escaped in any way, in base64 and in hex; each also broken over lines."""
    spelt = [character if re.match("[A-Za-z0-9]", character) else _form(character) for character in secret]
    escaped = [f"(?i:{_escaped(character)})" for character in secret]
    return tuple(
        re.compile(before + _LINE_BREAK.join(characters))
        for before, characters in (
            ("", spelt),
            # Every character escaped, letters and digits too.
            (r"(?=[&%\\])", escaped),
            *(("", encoded) for encoded in _encoded(secret.encode())),
        )
    )


def _encoded(data: bytes) -> Iterable[list[str]]:
    """Hex, and base64 of `data` at each offset inside longer data: the digits that its neighbours do not change."""
    yield [f"(?i:{'[: ]?' if index else ''}{byte:02x})" for index, byte in enumerate(data)]
    for before in range(3):
        digits = base64.b64encode(b"\0" * before + data).rstrip(b"=").decode()
        first = (before * 8 + 5) // 6
        last = (before + len(data)) * 8 // 6
        yield [_DIGITS.get(digit, digit) for digit in digits[first:last]]
