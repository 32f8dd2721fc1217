"""Patterns of tokens, keys and signed URLs, in plain text and escaped for HTML, JSON and URLs, once or several times.

Repetitions in the patterns are bounded, so that redacting a hostile text takes time in proportion to its length.
Each pattern's group 1 is the text before the secret, which stays: the name of a header, a field or a query's parameter.
"""

import base64
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
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


_AMPERSAND, _EQUALS, _SLASH, _COLON, _COMMA, _PIPE = (_form(character) for character in "&=/:,|")
# A quotation mark may be escaped for JSON first and for a page or an address after it: `\\&quot;`, `%5C%22`.
_BACKSLASHES = rf"(?>(?:(?i:{_escaped(chr(92))})|\\(?=[\\\"'&%])){{0,15}})"
_QUOTE = f"(?:{_BACKSLASHES}(?:{_form(chr(34))}|{_form(chr(39))}))"
_BLANK = (
    r"(?:\s|\+|%(?:25){0,5}(?:20|0[AaDd]|5[Cc][nrt])|&(?:amp;){0,5}(?:#32|#1[03]|#x0{0,4}(?:20|[AaDd])|nbsp);"
    r"|\\{1,7}(?:[nrt]|(?:u00|x)(?:20|0[AaDd])))"
)
# Between two words of a command, as a shell or a list of JSON or Python writes them.
_PAUSE = rf"(?:{_QUOTE}|{_BLANK}|{_COMMA})"
_NEXT_ITEM = rf"{_QUOTE}{{1,5}}{_BLANK}{{0,4}}{_COMMA}{_PAUSE}{{0,8}}(?:b(?={_QUOTE}))?{_QUOTE}{{1,5}}"
_BETWEEN = rf"(?>{_NEXT_ITEM}|{_QUOTE}{{0,5}}{_BLANK}{{1,20}}{_QUOTE}{{0,5}})"
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
    r"ABSK[A-Za-z0-9+/]{80,}",
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
_ENDINGS = rf"(?:(?<!page)(?<!page_)token|(?:api|access|secret|account|auth|subscription){_JOINT}?key)"
_PASSWORDS = rf"(?:[A-Za-z0-9]|{_JOINT})(?:password|passwd|{_UNDERSCORE}pwd)"
# Options whose value is the next word, and options with USER:PASSWORD of programs that ask over HTTP.
_DASHES = f"{_HYPHEN}{{1,2}}"
_OPTIONS = (
    rf"{_DASHES}(?:[a-z0-9]{{1,20}}{_HYPHEN}){{0,3}}"
    rf"(?:password|passwd|token|api{_HYPHEN}key|secret(?:{_HYPHEN}key)?)"
)
_REGISTRY_CLIENTS = "docker|podman|nerdctl|buildah|skopeo|helm|oras|crane"
_LOGINS = rf"{_DASHES}(?:proxy{_HYPHEN})?user|{_HYPHEN}[uU]"
_SOME = r"[^\r\n]{0,200}?"
# A word up to the next blank, quotation mark or comma.
_WORD_CHARACTER = rf"(?:(?!{_QUOTE}|{_BLANK}|{_COMMA})[^\s])"
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
_ASSIGNS = (
    rf"(?>(?:{_NEXT_ITEM}(?={_EQUALS})|{_QUOTE}?{_BLANK}{{0,20}})(?:{_COLON}|{_EQUALS}|{_COMMA})"
    rf"(?:{_NEXT_ITEM}|{_BLANK}{{0,20}})(?:\[(?!redacted\]))?(?:b(?={_QUOTE}))?{_QUOTE}?)"
)
# As above, in one line and without the comma of Python's tuples. The value has digits, and is neither a number, as the
# seconds of `time_to_first_token` are, nor a resource's name.
_GAP = r"(?:[ \t]|\+|%(?:25){0,5}20|&(?:amp;){0,5}(?:#32|#x0{0,4}20|nbsp);|\\{1,7}[ux](?:00)?20)"
_GIVES = (
    rf"(?>(?:{_NEXT_ITEM}(?={_EQUALS})|{_QUOTE}?{_GAP}{{0,4}})(?:{_COLON}|{_EQUALS})"
    rf"(?:{_NEXT_ITEM}|{_GAP}{{0,4}})(?:b(?={_QUOTE}))?{_QUOTE}?)"
)
_NUMBER = r"-?[0-9]{1,40}(?:\.[0-9]{1,40})?(?:[eE][-+]?[0-9]{1,4})?(?![A-Za-z0-9+/_.~=%\\-])"
_LONG_CHARACTER = rf"(?:(?!{_ENDS_VALUE})(?:&#?[A-Za-z0-9]{{1,8}};|[A-Za-z0-9+/_.~=%\\-]))"
_LONG_VALUE = rf"(?!projects/|{_NUMBER})(?=[^\s]{{0,80}}[0-9]){_LONG_CHARACTER}{{20,}}"
# The value is long and has a digit, as that of a name that ends so; a name in one field and its value in another.
_NAMED = rf"(?:{_WORD}{{0,60}}(?:{_ENDINGS}|password|passwd|secret|authorization))"
_TO_VALUE = rf"(?>{_QUOTE}?{_BLANK}{{0,4}}{_COLON}{_PAUSE}{{0,8}})"
_VALUE_FIELD = rf"value{_TO_VALUE}"
_NAME_FIELD = rf"(?:name|key){_TO_VALUE}"
_FIELD_END = rf"{_PAUSE}{{1,20}}"
# A command in a documented call, which the shell replaces by the token.
_COMMAND = r"\$\(gcloud auth "


@dataclass(frozen=True)
class Shape:
    """A pattern, compiled when it is first used: compiling all takes longer than many commands run."""

    words: tuple[str, ...]
    """One of these is in every text that the pattern finds something in; none: any text may hold it."""
    expression: str

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        return re.compile(self.expression)


SHAPES = tuple(
    Shape(tuple(words.split()), expression)
    for words, expression in (
        (
            "private",
            rf"(?s)()(?:{_HYPHEN}){{5}}BEGIN(?:[A-Z]|{_BETWEEN}){{0,40}}PRIVATE{_BETWEEN}KEY(?:{_BLANK}{{1,20}}BLOCK)?"
            rf"(?:{_HYPHEN}){{5}}.*?(?:(?:{_HYPHEN}){{5}}END(?:[A-Z]|{_BETWEEN}){{0,40}}PRIVATE{_BETWEEN}KEY"
            rf"(?:{_BLANK}{{1,20}}BLOCK)?(?:{_HYPHEN}){{5}}|$)",
        ),
        ("", rf"(){_START}(?:{'|'.join(_TOKENS)})"),
        # Variables of a container, headers of a recording.
        (
            "value",
            rf"(?i)({_NAME_FIELD}{_NAMED}{_FIELD_END}{_VALUE_FIELD}(?:(?:{_SCHEMES}){_BETWEEN})?){_NOT_YET}{_LONG_VALUE}",
        ),
        ("value", rf"(?i)({_VALUE_FIELD}){_NOT_YET}{_LONG_VALUE}(?={_FIELD_END}{_NAME_FIELD}{_NAMED}{_QUOTE})"),
        (
            "authorization",
            rf"(?i)({_START}{_HEADERS}{_ASSIGNS}(?:{_LONG_SCHEMES}){_BLANK}{{1,20}}){_NOT_YET}(?:(?!\\{{1,7}}[nr])[^\r\n])+",
        ),
        (
            "authorization",
            rf"(?i)({_START}{_HEADERS}{_ASSIGNS}(?:(?:{_SCHEMES})(?:{_BLANK}{{1,20}}|{_NEXT_ITEM}))?)"
            rf"(?!value{_QUOTE}|b?['\"]?\[redacted\]|(?:{_SCHEMES}|{_LONG_SCHEMES})\b|{_COMMAND}){_FIELD_VALUE}+",
        ),
        (
            "cookie",
            rf"(?i)({_START}(?:set-)?cookie{_ASSIGNS}){_NOT_YET}(?:(?!{_QUOTE}|\\{{1,7}}[nr]|%(?:25){{0,5}}0[ad])[^\r\n])+",
        ),
        ("token secret key passw passphrase", rf"(?i)({_START}(?:{_FIELDS}){_ASSIGNS}){_NOT_YET}{_FIELD_VALUE}{{8,}}"),
        ("token key", rf"(?i)({_ENDINGS}{_GIVES}){_NOT_YET}{_LONG_VALUE}"),
        ("passw pwd", rf"(?i)({_PASSWORDS}{_GIVES}){_NOT_YET}(?=[^\s]{{0,80}}[0-9]){_FIELD_VALUE}{{8,}}"),
        ("passw token key secret", rf"(?i)({_OPTIONS}{_BETWEEN}){_NOT_YET}{_LONG_VALUE}"),
        (
            "login",
            rf"(?i)({_START}(?:{_REGISTRY_CLIENTS})[^\r\n]{{1,80}}?login{_SOME}(?:{_DASHES}password|{_HYPHEN}p)"
            rf"(?:{_BETWEEN}|{_EQUALS})){_NOT_YET}{_WORD_CHARACTER}{{6,}}",
        ),
        (
            "curl wget",
            rf"(?i)({_START}(?:curl|wget){_SOME}(?:{_LOGINS})(?:{_BETWEEN}|{_EQUALS}{_QUOTE}?)?{_WORD_CHARACTER}{{1,64}}?"
            rf"{_COLON}){_NOT_YET}{_WORD_CHARACTER}{{3,}}",
        ),
        (
            "",
            rf"(?i)({_START}(?:{_LOGINS})(?:{_BETWEEN}|{_EQUALS}{_QUOTE}?)(?:(?![/@]){_WORD_CHARACTER}){{1,64}}?"
            rf"{_COLON}(?!{_SLASH}{_SLASH})){_NOT_YET}(?=[^\s]{{0,80}}[0-9])(?=[^\s]{{0,80}}[a-z]){_WORD_CHARACTER}{{12,}}",
        ),
        (
            "stdin",
            rf"(?i)({_START}(?:echo|printf){_BETWEEN}){_NOT_YET}{_WORD_CHARACTER}{{8,}}"
            rf"(?={_BETWEEN}?{_PIPE}{_SOME}{_HYPHEN}stdin)",
        ),
        # A .netrc, in one line or several.
        (
            "password",
            rf"(?i)({_START}login{_BETWEEN}{_WORD_CHARACTER}{{1,100}}?{_BETWEEN}password{_BETWEEN}){_NOT_YET}"
            rf"{_WORD_CHARACTER}{{3,}}",
        ),
        # Docker's config.json.
        (
            "auth",
            rf"(?i)({_QUOTE}auth{_QUOTE}{_BLANK}{{0,4}}{_COLON}{_PAUSE}{{0,8}}{_QUOTE}){_NOT_YET}{_WORD_CHARACTER}{{12,}}",
        ),
        ("slack", rf"(?i)(hooks{_DOT}slack{_DOT}com{_SLASH}services{_SLASH}){_NOT_YET}{_WORD_CHARACTER}{{20,}}"),
        ("bearer", rf"(?i)({_START}bearer{_BETWEEN})[A-Za-z0-9._~+/-]{{16,}}=*"),
        ("", rf"(?i)((?:{_AMPERSAND}|{_form('?')}|{_form(';')})(?:{_QUERY}){_EQUALS}){_NOT_YET}{_QUERY_VALUE}"),
        # The password of an address, `https://user:password@host`.
        (
            "",
            rf"({_COLON}{_SLASH}{_SLASH}(?:{_WORD}|~){{0,64}}{_COLON}){_NOT_YET}(?!PASSWORD@)"
            rf"(?:(?!{_SLASH})[^\s'\"<>]){{1,256}}(?={_form('@')})",
        ),
        # A token in the place of the user, `https://token@host`.
        (
            "http",
            rf"(?i)(https?{_COLON}{_SLASH}{_SLASH}){_NOT_YET}(?=[^\s@]{{0,80}}[0-9]){_WORD}{{16,256}}(?={_form('@')})",
        ),
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


# Base64 of both alphabets, escaped or not; the shortest that is looked into holds a token of 18 bytes.
_ESCAPED_DIGIT = rf"(?i:{'|'.join(_escaped(character) for character in '+/-_')})"
ENCODED = re.compile(rf"[A-Za-z0-9+/_-]{{16,}}(?:{_ESCAPED_DIGIT}[A-Za-z0-9+/_-]*)*")
_SHORTEST_ENCODED = 24
_READABLE = re.compile(rb"[\x20-\x7e\r\n\t]{18,}")
_DIGIT_FORMS = tuple((re.compile(rf"(?i:{_escaped(character)})"), character) for character in "+/-_")


def decoded_texts(encoded: str) -> Iterator[str]:
    """Readable parts of what a match of ENCODED is base64 of, wherever in the match it begins."""
    if len(encoded) < _SHORTEST_ENCODED:
        return
    for form, character in _DIGIT_FORMS:
        encoded = form.sub(character, encoded)
    digits = encoded.translate({ord("-"): "+", ord("_"): "/"})
    for start in range(4):
        usable = digits[start : start + (len(digits) - start) // 4 * 4]
        for readable in _READABLE.findall(base64.b64decode(usable)):
            yield readable.decode("ascii")
