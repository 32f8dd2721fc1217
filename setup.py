"""Copies into a wheel the files that stand at the top of the repository; all else is in pyproject.toml."""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

# `vertex_vllm.shipped` finds them. The build of the steps' image has the list of its own packages alone.
_SHIPPED = ("compiled/*.yaml", "configs/smollm2-*.yaml", "constraints/serving.*", "constraints/image.hashes")


class BuildWithShippedFiles(build_py):
    """Builds the package as a wheel has it; an editable installation finds these files where they stand."""

    def run(self) -> None:
        super().run()
        if self.editable_mode:
            return
        for source, target in self._shipped().items():
            Path(target).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)

    def get_outputs(self, include_bytecode: bool = True) -> list[str]:
        return [*super().get_outputs(include_bytecode), *self._shipped().values()]

    def get_source_files(self) -> list[str]:
        return [*super().get_source_files(), *self._shipped()]

    def _shipped(self) -> dict[str, str]:
        """Path in the repository → path in the folder of the build."""
        found = sorted(path.as_posix() for pattern in _SHIPPED for path in Path().glob(pattern))
        return {path: f"{self.build_lib}/vertex_vllm/{path}" for path in found}


setup(cmdclass={"build_py": BuildWithShippedFiles})
