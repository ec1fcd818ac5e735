"""The setuptools commands that build the libraries, and the wheel that holds them.

If there is no compiler, the installation continues without the libraries.
"""

from __future__ import annotations

import importlib.util
import logging
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType

from setuptools.command.bdist_wheel import bdist_wheel
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
        # an installation in place stays on this machine
        levels = recipe.levels(self._machine())
        if self._is_in_place():
            levels = recipe.supported_levels()[:1]
        wanted = [(name, level) for name in recipe.SOURCES for level in levels]

        def build(what: tuple[str, str]) -> tuple[int, str]:
            target = self._folder() / recipe.file_name(*what)
            if target.exists() and recipe.source_digest(source).encode() in target.read_bytes():
                return logging.INFO, f"{target.name} is up to date"
            try:
                recipe.compile_library(*what, source, target)
            except recipe.BuildError as error:
                return logging.WARNING, f"cupysim: {target.name} was not built: {error}"
            return logging.INFO, f"built {target.name}"

        with ThreadPoolExecutor(len(wanted)) as pool:
            for level, message in pool.map(build, wanted):
                self.announce(message, level)

    def _machine(self) -> str | None:
        """The machine that the libraries are for. In a cross build, it is not this machine."""
        name: str = self.plat_name.rsplit("-", 1)[-1]
        return None if name == _load_recipe().UNIVERSAL else name

    def _is_in_place(self) -> bool:
        return bool(self.inplace or self.editable_mode)

    def _folder(self) -> Path:
        return Path("." if self._is_in_place() else self.build_lib) / "cupysim" / "native"

    def get_outputs(self) -> list[str]:
        """The files that belong to the installation."""
        return [str(path) for path in self._folder().glob("*.so")]

    def get_output_mapping(self) -> dict[str, str]:
        """No mapping: an editable installation has the libraries in place."""
        return {}


class PlatformWheel(bdist_wheel):  # type: ignore[misc]
    """Names the wheel after the machine only: Python loads the libraries with ctypes."""

    def get_tag(self) -> tuple[str, str, str]:
        """The tag of the wheel: Python, its binary interface, and the platform."""
        *_, platform = super().get_tag()
        tag: tuple[str, str, str] = _load_recipe().wheel_tag(platform)
        return tag
