"""gRPC's threads, kept for as long as the process lives.

With the last channel of a process gRPC (1.85, and before) ends its threads, and waits for them while it holds Python's
interpreter lock. A thread that drops a call's credentials at that moment waits for the same lock: the process hangs for
ever. https://github.com/grpc/grpc/pull/42247 (read 2026-11-30, not merged) describes it; a test run of this project
hung there once in about ten thousand channels. Delete this module when the constraints pin a gRPC with the remedy.
"""

from functools import cache

import grpc


@cache
def keep_engine() -> grpc.Channel:
    """A channel that is never connected and never closed, so that no other channel is the last one."""
    return grpc.insecure_channel("localhost:1")
