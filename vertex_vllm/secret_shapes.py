"""How tokens, keys and signed URLs look, in plain text and escaped for HTML, JSON and URLs, once or several times.

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


def _form(character: str) -> str:
    """Pattern of a character in every escaping, several deep: of `&` also `&amp;`, `&#38;`, `\\u0026` and `%2526`."""
    code = f"0{{0,5}}{ord(character):x}"
    entity = f"{_ENTITIES[character]};|" if character in _ENTITIES else ""
    in_html = rf"&(?:amp;){{0,5}}(?:{entity}#0{{0,5}}{ord(character)};|#x{code};)"
    in_url = "".join(f"%(?:25){{0,5}}{byte:02x}" for byte in character.encode("utf-8", "surrogatepass"))
    return rf"(?i:{in_html}|\\{{1,7}}[ux]{code}|{in_url}|\\{{0,7}}{re.escape(character)})"


_AMPERSAND, _EQUALS, _SLASH, _COLON = (_form(character) for character in "&=/:")
_QUOTE = f"(?:{_form(chr(34))}|{_form(chr(39))})"
_BLANK = r"(?:\s|\+|%(?:25){0,5}20|&(?:amp;){0,5}(?:#32|nbsp);|\\{1,7}(?:[nrt]|u0020))"
# Not inside a word; a blank or a line break before it may be escaped, and then ends with a letter or a digit.
_START = (
    r"(?:(?<![A-Za-z0-9])|(?<=%[0-9A-Fa-f]{2})|(?<=%25[0-9A-Fa-f]{2})|(?<=%2525[0-9A-Fa-f]{2})"
    r"|(?<=\\[nrt])|(?<=\\u[0-9A-Fa-f]{4})|(?<=\\x[0-9A-Fa-f]{2}))"
)

_TOKENS = (
    r"hf_[A-Za-z0-9]{16,}",
    r"(?:hf_oauth_+|hf_jwt_|api_org_)[A-Za-z0-9._-]{12,}",
    r"ya29\.[A-Za-z0-9._-]{8,}",
    # Google's refresh tokens and authorisation codes, client secrets, API keys.
    rf"(?:1{_SLASH}{_SLASH}|4{_SLASH})0[A-Za-z0-9_-]{{16,}}",
    r"GOCSPX-[A-Za-z0-9_-]{16,}",
    r"AIza[A-Za-z0-9_-]{30,}",
    r"(?:gh[oprsu]_|github_pat_|glpat-)[A-Za-z0-9_.-]{16,}",
    r"(?:AKIA|ASIA)[A-Z0-9]{16}",
    r"(?:sk|xox[a-z])-[A-Za-z0-9_-]{20,}",
    r"(?:npm_|dckr_pat_|pypi-)[A-Za-z0-9_-]{20,}",
    # A signed identity (JWT); Xet's tokens are such.
    r"eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*",
)
_HEADERS = "(?:proxy-)?authorization"
_FIELDS = (
    "access_token|refresh_token|id_token|accesstoken|refreshtoken|client_secret|x-xet-access-token|x-xet-token"
    "|x-goog-api-key|x-api-key|hf_token|hugging_face_hub_token|password"
)
# Signed URLs: of Cloud Storage (V4, V2), of CloudFront and S3 (the Hub redirects to them), of Azure.
_QUERY = (
    "x-goog-signature|x-goog-credential|x-amz-signature|x-amz-credential|x-amz-security-token|signature|sig"
    "|googleaccessid|awsaccesskeyid|policy|key-pair-id|access_token|refresh_token|id_token|token|key|upload_id"
)
_ENDS_VALUE = rf"(?:{_AMPERSAND}|{_QUOTE}|{_form('<')}|{_form('>')}|{_form(' ')}|\\{{1,7}}[nrt]|%(?:25){{0,5}}0[ad])"
_QUERY_VALUE = rf"(?:(?!{_ENDS_VALUE})[^\s)])+"
_FIELD_VALUE = rf"(?:(?!{_ENDS_VALUE})[^\s,;)}}\]])"
# Atomic: a blank that is given back would count as the beginning of the value.
_ASSIGNS = rf"(?>{_QUOTE}?{_BLANK}{{0,20}}(?:{_COLON}|{_EQUALS}|,){_BLANK}{{0,20}}(?:b(?=['\"]))?{_QUOTE}?)"
# A command in a documented call, which the shell replaces by the token.
_COMMAND = r"\$\(gcloud auth "

SHAPES = tuple(
    re.compile(shape)
    for shape in (
        rf"(?s)()-----BEGIN(?:[A-Z]|{_BLANK}){{0,40}}PRIVATE{_BLANK}{{1,20}}KEY(?:{_BLANK}{{1,20}}BLOCK)?-----.*?"
        rf"(?:-----END(?:[A-Z]|{_BLANK}){{0,40}}PRIVATE{_BLANK}{{1,20}}KEY(?:{_BLANK}{{1,20}}BLOCK)?-----|$)",
        rf"(){_START}(?:{'|'.join(_TOKENS)})",
        rf"(?i)({_START}{_HEADERS}{_ASSIGNS}(?:(?:bearer|basic){_BLANK}{{1,20}})?)(?!b?['\"]?\[redacted\]|bearer\b|basic\b|{_COMMAND})"
        rf"{_FIELD_VALUE}+",
        rf"(?i)({_START}(?:set-)?cookie{_ASSIGNS}){_NOT_YET}(?:(?!{_QUOTE}|\\{{1,7}}[nr]|%(?:25){{0,5}}0[ad])[^\r\n])+",
        rf"(?i)({_START}(?:{_FIELDS}){_ASSIGNS}){_NOT_YET}{_FIELD_VALUE}{{8,}}",
        rf"(?i)({_START}bearer{_BLANK}{{1,20}})[A-Za-z0-9._~+/-]{{16,}}=*",
        rf"(?i)((?:{_AMPERSAND}|{_form('?')}|{_form(';')})(?:{_QUERY}){_EQUALS}){_NOT_YET}{_QUERY_VALUE}",
        # The password of an address, `https://user:password@host`.
        rf"({_COLON}{_SLASH}{_SLASH}[A-Za-z0-9._~-]{{0,64}}{_COLON}){_NOT_YET}(?:(?!{_SLASH}|{_form('@')})[^\s'\"<>]){{1,256}}"
        rf"(?={_form('@')})",
    )
)


# The two digits of base64 that are others in URLs.
_DIGITS = {"+": f"(?:{_form('+')}|-)", "/": f"(?:{_form('/')}|_)"}


def forms_of(secret: str) -> tuple[re.Pattern[str], ...]:
    """Patterns of a known secret: escaped in any way, in base64 and in hex; each also broken over lines."""
    spelt = [character if re.match("[A-Za-z0-9]", character) else _form(character) for character in secret]
    return tuple(re.compile(_LINE_BREAK.join(characters)) for characters in (spelt, *_encoded(secret.encode())))


def _encoded(data: bytes) -> Iterable[list[str]]:
    """Hex, and base64 of `data` at each offset inside longer data: the digits that its neighbours do not change."""
    yield [f"(?i:{digit})" for digit in data.hex()]
    for before in range(3):
        digits = base64.b64encode(b"\0" * before + data).rstrip(b"=").decode()
        first = (before * 8 + 5) // 6
        last = (before + len(data)) * 8 // 6
        yield [_DIGITS.get(digit, digit) for digit in digits[first:last]]
