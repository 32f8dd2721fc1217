"""Facts for multiple choice and for short answers, in levels from well-known to rare."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    subject: str
    answer: str


@dataclass(frozen=True)
class Kind:
    question: str
    """With {} in the place of the subject."""
    rows: tuple[Row, ...]


def _kind(question: str, pairs: str) -> Kind:
    """`pairs`: subject=answer, separated by commas."""
    rows = tuple(Row(*pair.strip().split("=")) for pair in pairs.split(","))
    return Kind(question, rows)


_OPPOSITES = _kind(
    "What is the opposite of {}?",
    "hot=cold, big=small, up=down, day=night, open=closed, fast=slow, old=young, happy=sad, light=dark, wet=dry",
)
_SOUNDS = _kind("Which animal makes this sound: {}?", "meow=cat, moo=cow, woof=dog, quack=duck, roar=lion, neigh=horse")
_CAPITALS = _kind(
    "What is the capital of {}?",
    "France=Paris, Germany=Berlin, Italy=Rome, Spain=Madrid, Japan=Tokyo, Egypt=Cairo, Russia=Moscow, China=Beijing, "
    "Greece=Athens, Portugal=Lisbon, Austria=Vienna, Poland=Warsaw, Norway=Oslo, Cuba=Havana",
)
_SYMBOLS = _kind(
    "Which chemical element has the symbol {}?",
    "H=hydrogen, O=oxygen, C=carbon, N=nitrogen, Fe=iron, Au=gold, Ag=silver, Na=sodium, K=potassium, Pb=lead, "
    "Sn=tin, Hg=mercury, Cu=copper, W=tungsten",
)
_FAR_CAPITALS = _kind(
    "What is the capital of {}?",
    "Mongolia=Ulaanbaatar, Ghana=Accra, Bhutan=Thimphu, Latvia=Riga, Paraguay=Asunción, Oman=Muscat, Zambia=Lusaka, "
    "Fiji=Suva, Eritrea=Asmara, Laos=Vientiane, Moldova=Chișinău, Togo=Lomé, Malta=Valletta, Nepal=Kathmandu",
)
_ATOMIC = _kind(
    "Which chemical element has the atomic number {}?",
    "22=titanium, 27=cobalt, 31=gallium, 34=selenium, 42=molybdenum, 46=palladium, 51=antimony, 56=barium, "
    "63=europium, 72=hafnium, 75=rhenium, 77=iridium, 83=bismuth, 89=actinium",
)
_CURRENCIES = _kind(
    "What is the currency of {}?",
    "Ethiopia=birr, Vietnam=dong, Mongolia=tögrög, Thailand=baht, Peru=sol, Poland=złoty, Botswana=pula, "
    "Albania=lek, Georgia=lari, Bhutan=ngultrum, Ghana=cedi, Gambia=dalasi, Laos=kip, Haiti=gourde",
)
CHOICES: dict[int, tuple[Kind, ...]] = {
    1: (_OPPOSITES, _SOUNDS),
    2: (_CAPITALS, _SYMBOLS),
    3: (_FAR_CAPITALS, _CURRENCIES),
    4: (_ATOMIC,),
}
