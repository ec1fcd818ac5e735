"""The errors and warnings of cupysim.

Every message says what was wrong, where, and what is accepted. A
`CupysimError` is the user's to mend; anything else which escapes is a defect.
"""

from __future__ import annotations


class CupysimError(Exception):
    """Base of all errors which the user's input or machine can cause."""


class OptionError(CupysimError):
    """A command-line option is wrong.

    Parameters
    ----------
    option : str
        The option as the user wrote it.
    problem : str
        What is wrong and what is accepted.
    """

    def __init__(self, option: str, problem: str) -> None:
        super().__init__(f"{option}: {problem}")
        self.option = option
        self.problem = problem


class FileFormatError(CupysimError):
    """A file cannot be read as what it should be.

    Parameters
    ----------
    path : str
        The file.
    problem : str
        What is wrong and what is accepted.
    line : int, optional
        The line of the file, counted from 1.
    """

    def __init__(self, path: object, problem: str, line: int | None = None) -> None:
        where = f"{path}" if line is None else f"{path}, line {line}"
        super().__init__(f"{where}: {problem}")
        self.path = str(path)
        self.line = line


class ModelError(CupysimError):
    """Parts of an experiment are impossible or do not fit each other."""


class DeviceError(CupysimError):
    """What computes does not work, whatever it is to compute."""


class OutOfMemory(DeviceError, MemoryError):  # noqa: N818  # as Python's own
    """A device has too little memory, of which another image may take less."""


class CupysimWarning(UserWarning):
    """Something the user ought to know, with which the run goes on."""
