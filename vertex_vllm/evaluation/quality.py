"""The question set, and when an answer counts as right."""

import json
import string
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources

from vertex_vllm.inference.inference_client import Message

_ARTICLES = frozenset({"a", "an", "the"})
# String's punctuation is ASCII's; in other scripts the Unicode categories P* say what is punctuation.
_ASCII_PUNCTUATION = frozenset(string.punctuation)

_INSTRUCTION = "Answer with the answer alone, in as few words as possible."
# Shown before each question, and not in the set: small models learn the form of an answer from examples alone.
_EXAMPLES = (("What is the capital of Italy?", "Rome"), ("How many legs does a spider have?", "8"))


@dataclass(frozen=True)
class Question:
    id: str
    category: str
    question: str
    accepted: tuple[str, ...]
    """Each of them is a right answer."""


def load_questions() -> tuple[Question, ...]:
    """The set that ships with the project: short facts that a small model may know."""
    text = resources.files("vertex_vllm.evaluation").joinpath("data", "questions.jsonl").read_text(encoding="utf-8")
    rows = (json.loads(line) for line in text.splitlines())
    return tuple(Question(row["id"], row["category"], row["question"], tuple(row["accepted"])) for row in rows)


def chat_prompt(question: Question) -> tuple[Message, ...]:
    """The examples as earlier turns, and the question."""
    messages = []
    for asked, answer in _EXAMPLES:
        messages += [_user_message(asked), {"role": "assistant", "content": answer}]
    return (*messages, _user_message(question.question))


def _user_message(question: str) -> Message:
    # The instruction stands here because some chat templates (Gemma 2's) refuse a system message.
    return {"role": "user", "content": f"{question}\n{_INSTRUCTION}"}


def completion_prompt(question: Question) -> str:
    shown = "".join(f"Question: {asked}\nAnswer: {answer}\n\n" for asked, answer in _EXAMPLES)
    return f"{shown}Question: {question.question}\nAnswer:"


def completed_answer(text: str) -> str:
    """The first line of a completion: what follows is the model asking itself further questions."""
    return text.strip().partition("\n")[0].strip()


def normalise(text: str) -> tuple[str, ...]:
    """The words that are compared: compatible forms unified (NFKC), lower case, without punctuation and articles.

    Punctuation goes without leaving a gap, so that `Mt.` is `mt` and `forty-two` is `fortytwo`. As SQuAD's evaluation
    script does it, except for NFKC and for punctuation outside of ASCII.
    """
    unified = unicodedata.normalize("NFKC", text).lower()
    bare = "".join(character for character in unified if not _is_punctuation(character))
    return tuple(word for word in bare.split() if word not in _ARTICLES)


def is_exact(answer: str, accepted: Sequence[str]) -> bool:
    """Whether the normalised answer is one of the accepted ones: nothing missing, nothing added."""
    return normalise(answer) in {normalise(right) for right in accepted}


def contains(answer: str, accepted: Sequence[str]) -> bool:
    """Whether an accepted answer stands somewhere in the normalised answer, as whole words one after another."""
    words = normalise(answer)
    return any(_stands_in(normalise(right), words) for right in accepted)


def _stands_in(wanted: tuple[str, ...], words: tuple[str, ...]) -> bool:
    return any(words[start : start + len(wanted)] == wanted for start in range(len(words) - len(wanted) + 1))


def _is_punctuation(character: str) -> bool:
    return character in _ASCII_PUNCTUATION or unicodedata.category(character).startswith("P")
