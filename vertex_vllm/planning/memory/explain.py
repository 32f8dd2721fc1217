"""A memory account unfolded into its lines, for people."""

from vertex_vllm.planning.memory.account import Line, MemoryAccount


def explain_memory(account: MemoryAccount) -> str:
    """A line per term, GiB on one GPU with both ends where they differ, its source behind it; ends with a newline."""
    lines = [_line("", account.requested)]
    lines += [_line("− ", line) for line in account.deducted]
    lines += [_line("= ", account.cache), _line("", account.one_request)]
    lines.append(f"{account.verdict}{': ' if account.reasons else ''}{'; '.join(account.reasons)}")
    if account.verdict == "fits":
        lines.append(f"at most           max_model_len {account.longest_context} with this max_num_seqs,")
        lines.append(f"                  or max_num_seqs {account.most_sequences} with this max_model_len")
    return "\n".join(lines) + "\n"


def _line(sign: str, line: Line) -> str:
    return f"{sign + line.name:<16} {line.amount!s:>28}  {line.source}"
