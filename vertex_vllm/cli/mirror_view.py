"""A mirror under way, for a person at a terminal: one bar for all, and one for each file that is being copied."""

from types import TracebackType
from typing import TYPE_CHECKING, Self

from vertex_vllm.plain_text import one_line

if TYPE_CHECKING:
    from rich.progress import Progress as Bars
    from rich.progress import TaskID

    from vertex_vllm.mirror import Progress


class MirrorView:
    """A context manager whose value is an `on_progress`."""

    def __init__(self, bars: "Bars") -> None:
        self._bars = bars
        self._all: TaskID | None = None
        self._files: dict[str, TaskID] = {}

    def __call__(self, progress: "Progress") -> None:
        if self._all is None:
            self._all = self._bars.add_task("all files", total=progress.bytes_total, retries="")
        self._bars.update(
            self._all,
            completed=progress.bytes_total - progress.bytes_missing,
            description=f"all files ({progress.files_done}/{len(progress.files)})",
            retries=_retries(progress.retries),
        )
        for path, file in progress.files.items():
            if file.done and path in self._files:
                self._bars.remove_task(self._files.pop(path))
            elif file.bytes and not file.done:
                if path not in self._files:
                    self._files[path] = self._bars.add_task(one_line(path), total=file.size, retries="")
                self._bars.update(self._files[path], completed=file.bytes, retries=_retries(file.retries))

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bars.stop()


def terminal_view() -> MirrorView:
    """Bars on standard error."""
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn
    from rich.table import Column

    name = TextColumn(
        "{task.description}", markup=False, table_column=Column(ratio=1, no_wrap=True, overflow="ellipsis")
    )
    retries = TextColumn("{task.fields[retries]}")
    columns = (name, BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn(), retries)
    return MirrorView(Progress(*columns, console=Console(stderr=True), expand=True))


def _retries(count: int) -> str:
    return "" if not count else "1 retry" if count == 1 else f"{count} retries"
