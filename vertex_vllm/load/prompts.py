"""Prompts of a wanted number of tokens, without the model's tokenizer."""

import random
import re
from dataclasses import dataclass

from vertex_vllm.errors import InferenceError

# Frequent English words: most tokenizers have a token for each, with the space before it.
_WORDS = re.findall(
    r"\w+",
    """
    time year people way day man thing woman life child world school state family student group country problem hand
    part place case week company system program question work government number night point home water room mother
    area money story fact month lot right study book eye job word business issue side kind head house service friend
    father power hour game line end member law car city community name president team minute idea kid body information
    """,
)
_TASK = "Continue this list of words with further words:"
_FEWEST_WORDS = len(_TASK.split()) + 1
_POOL = 1 << 14
# Words of the two prompts that a server counts before a load.
PROBES = (32, 160)


@dataclass(frozen=True)
class TokenScale:
    """Tokens of a prompt by its words, as the server counts them: tokens = overhead + per_word x words."""

    per_word: float
    overhead: float
    """Tokens of a prompt without words: the chat template's."""

    @classmethod
    def measured(cls, words: tuple[int, int], tokens: tuple[int, int]) -> "TokenScale":
        """From two prompts. Raises InferenceError where the server's counts do not grow with the words."""
        per_word = (tokens[1] - tokens[0]) / (words[1] - words[0])
        if not 0.2 <= per_word <= 20:
            raise InferenceError(
                f"Prompts of {words[0]} and {words[1]} words were counted as {tokens[0]} and {tokens[1]} tokens",
                fix="The server's `usage` must count prompt tokens.",
            )
        return cls(per_word, tokens[0] - per_word * words[0])

    def words(self, tokens: int) -> int:
        """Words of a prompt of so many tokens; never fewer than the shortest prompt has."""
        return max(round((tokens - self.overhead) / self.per_word), _FEWEST_WORDS)


# For a server that counts no tokens: a rule of thumb for English.
ASSUMED_SCALE = TokenScale(per_word=1.3, overhead=1.0)


class PromptWriter:
    """Writes prompts: the same for the same seed, number and words, and different for different numbers."""

    def __init__(self, seed: int) -> None:
        source = random.Random(f"prompts {seed}")
        self._pool = source.choices(_WORDS, k=_POOL)
        self._seed = seed

    def text(self, number: int, words: int) -> str:
        """The prompt. It begins with the number, because vLLM's prefix cache would answer equal beginnings."""
        wanted = max(words - _FEWEST_WORDS, 0)
        start = (number * 7919 + self._seed) % _POOL
        fill = self._pool[start : start + wanted]
        while len(fill) < wanted:
            fill += self._pool[: wanted - len(fill)]
        return " ".join((f"{number + 1}.{self._seed}", _TASK, *fill))
