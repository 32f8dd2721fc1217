"""An estimate unfolded into its terms, for people."""

from vertex_vllm.planning.memory.estimate import MemoryEstimate
from vertex_vllm.planning.memory.interval import GIB
from vertex_vllm.planning.memory.remedies import largest_sequences, longest_context


def explain_memory(estimate: MemoryEstimate) -> str:
    """One line a term, GiB on one GPU with both ends where they differ, its source behind it; ends with a newline."""
    start = estimate.start
    total = f"{start.total_bytes / GIB:.2f} × {start.gpu_memory_utilization:g}, vLLM's share of one GPU"
    lines = [_line("requested", f"{estimate.requested / GIB:.2f}", total)]
    lines += [_line(f"− {term.name}", str(term.amount), term.source) for term in estimate.terms]
    lines.append(_line("= KV cache", str(estimate.cache), f"{estimate.blocks} blocks, {estimate.cache_tokens} tokens"))
    lines.append(_line("one request", f"{estimate.needed / GIB:.2f}", f"max_model_len {start.max_model_len}"))
    lines.append(f"{estimate.verdict}{': ' if estimate.reasons else ''}{'; '.join(estimate.reasons)}")
    if estimate.verdict == "fits":
        context, sequences = longest_context(estimate.model, start), largest_sequences(estimate.model, start)
        lines.append(f"up to max_model_len {context} with these sequences, max_num_seqs {sequences} with this length")
    return "\n".join(lines) + "\n"


def _line(name: str, amount: str, source: str) -> str:
    return f"{name:<16} {amount:>28}  {source}"
