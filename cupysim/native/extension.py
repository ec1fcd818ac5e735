"""The setuptools command that builds the libraries when cupysim is installed.

If there is no compiler, the installation continues without them.
"""

from __future__ import annotations

import importlib.util
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType

from setuptools.command.build_ext import build_ext


def _load_recipe() -> ModuleType:
    # the package cannot be imported while it is built
    path = Path(__file__).with_name("recipe.py")
    spec = importlib.util.spec_from_file_location("cupysim_recipe", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class BuildLibraries(build_ext):  # type: ignore[misc]
    """Builds plain shared libraries for ctypes instead of extension modules."""

    def run(self) -> None:
        """Build all libraries. If one cannot be built, print the reason and continue."""
        recipe = _load_recipe()
        source = Path("cuda_src").resolve()
        wanted = [(recipe.TOOLS, recipe.BASELINE)]
        wanted += [(recipe.RENDER, level) for level in recipe.levels()]

        def build(what: tuple[str, str]) -> str:
            target = self._folder() / recipe.file_name(*what)
            if target.exists() and recipe.source_digest(source).encode() in target.read_bytes():
                return f"{target.name} is up to date"
            try:
                recipe.compile_library(*what, source, target)
            except recipe.BuildError as error:
                return f"cupysim: {target.name} was not built: {error}"
            return f"built {target.name}"

        with ThreadPoolExecutor(len(wanted)) as pool:
            for message in pool.map(build, wanted):
                self.announce(message, level=3)

    def _folder(self) -> Path:
        in_place = self.inplace or self.editable_mode
        return Path("." if in_place else self.build_lib) / "cupysim" / "native"

    def get_outputs(self) -> list[str]:
        """The files that belong to the installation."""
        return [str(path) for path in self._folder().glob("*.so")]

    def get_output_mapping(self) -> dict[str, str]:
        """No mapping: an editable installation has the libraries in place."""
        return {}
