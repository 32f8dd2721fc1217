"""A memory account unfolded into its lines, for people."""

import textwrap

from vertex_vllm.planning.memory.account import Line, MemoryAccount


def explain_memory(account: MemoryAccount, width: int | None = None) -> str:
    """A line per term, GiB on one GPU with both ends where they differ, its source behind it; ends with a newline.

    A source that is wider than `width` columns continues below itself.
    """
    lines = [_line("", account.requested, width)]
    lines += [_line("− ", line, width) for line in account.deducted]
    lines += [_line("= ", account.cache, width), _line("", account.one_request, width)]
    lines.append(f"{account.verdict}{': ' if account.reasons else ''}{'; '.join(account.reasons)}")
    if account.verdict == "fits":
        lines.append(f"at most           max_model_len {account.longest_context} with this max_num_seqs,")
        lines.append(f"                  or max_num_seqs {account.most_sequences} with this max_model_len")
    return "\n".join(lines) + "\n"


def _line(sign: str, line: Line, width: int | None) -> str:
    front = f"{sign + line.name:<16} {line.amount!s:>28}  "
    if width is None:
        return front + line.source
    return textwrap.fill(
        line.source,
        max(width, len(front) + 20),
        initial_indent=front,
        subsequent_indent=" " * len(front),
        break_long_words=False,
        break_on_hyphens=False,
    )
