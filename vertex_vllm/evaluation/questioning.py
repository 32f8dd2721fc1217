"""Asks a suite: each item once, several at a time, within the caps; items with an answer are not asked again."""

import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from vertex_vllm.evaluation.answer_journal import Journal
from vertex_vllm.evaluation.asking import Prompt, Reply, ask
from vertex_vllm.evaluation.limits import Budget
from vertex_vllm.evaluation.quality import completed_answer
from vertex_vllm.evaluation.suites.checks import compared
from vertex_vllm.evaluation.suites.item import Item, chat_messages, completion_text
from vertex_vllm.inference.inference_client import EndpointClient

THINKING_TOKENS = 2048
"""Added to an item's limit for models that think before they answer: published evaluations give them thousands; short
questions take some hundreds."""
_IMAGE_MARK = "<|image|>"
"""Place of the picture in a completion prompt, as Llama 3.2 Vision has it: other families come with a chat template."""


@dataclass(frozen=True)
class Answered:
    """An item with its answer."""

    item: Item
    answer: str
    """The text that is checked: the reply of a chat model without its thoughts, the first line of a completion."""
    right: bool
    reply: Reply

    @property
    def compared(self) -> str:
        """The part of the answer that a comparison of two runs compares; empty where there is no answer."""
        return "" if self.reply.error else compared(self.item.check, self.answer)


def ask_items(
    client: EndpointClient, chat: bool, items: Sequence[Item], concurrency: int, journal: Journal, budget: Budget
) -> tuple[Answered, ...]:
    """Answers in the order of `items`. Items that the caps left unasked are absent; `budget.stopped` says why."""
    room = _Room()

    def answered(item: Item) -> Answered | None:
        reply = journal.reply(item)
        if reply is not None:
            budget.earlier(reply)
        elif budget.may_ask():
            reply = _with_room(client, item, chat, room, budget)
            # A later attempt asks a failed item again: the endpoint may have recovered by then.
            if not reply.error:
                journal.add(item, reply)
        return None if reply is None else judge(item, reply, chat)

    with ThreadPoolExecutor(max_workers=max(concurrency, 1)) as pool:
        return tuple(found for found in pool.map(answered, items) if found is not None)


def judge(item: Item, reply: Reply, chat: bool) -> Answered:
    """The item with its answer. A failed request and an empty answer are wrong, whatever the check says."""
    # Only a form check may ask for several lines; other checks read the first line of a completion.
    several = item.check.kind in ("form", "json_schema")
    answer = reply.text.strip() if chat or several else completed_answer(reply.text)
    return Answered(item, answer, bool(answer) and not reply.error and item.check.right(answer), reply)


class _Room:
    """Whether the model was seen to think: known to all threads from the first reply that shows it."""

    def __init__(self) -> None:
        self.thinks = threading.Event()


def _with_room(client: EndpointClient, item: Item, chat: bool, room: _Room, budget: Budget) -> Reply:
    """The reply, with tokens for thoughts where the model thinks before it answers.

    A server whose context is too short refuses that many tokens; the request is then sent without a limit.
    """
    prompt, options = _request(item, chat)
    limit = item.max_tokens + (THINKING_TOKENS if room.thinks.is_set() else 0)
    reply = _counted(budget, ask(client, prompt, limit, options))
    if reply.thought_only and limit == item.max_tokens:
        room.thinks.set()
        limit += THINKING_TOKENS
        budget.asks_again()
        reply = _counted(budget, ask(client, prompt, limit, options))
    if reply.error and limit > item.max_tokens:
        budget.asks_again()
        reply = _counted(budget, ask(client, prompt, None, options))
    return reply


def _counted(budget: Budget, reply: Reply) -> Reply:
    budget.replied(reply)
    return reply


def _request(item: Item, chat: bool) -> tuple[Prompt, Mapping[str, Any]]:
    options: dict[str, Any] = {"seed": item.seed, **({"stop": list(item.stop)} if item.stop else {})}
    if chat:
        return chat_messages(item), options
    if not item.content:
        return completion_text(item), options
    return _IMAGE_MARK + completion_text(item), {**options, "multi_modal_data": {"image": item.picture_uri}}
