"""The errors and warnings of cupysim.

Every message says what is wrong, where it is wrong, and what is accepted. The user can fix the
cause of a `CupysimError`. Any other exception is a defect of cupysim.
"""

from __future__ import annotations


class CupysimError(Exception):
    """Base class of all errors that the user's input or computer can cause."""


class OptionError(CupysimError):
    """A command-line option is wrong.

    Parameters
    ----------
    option : str
        Option as the user wrote it.
    problem : str
        What is wrong, and what is accepted.
    """

    def __init__(self, option: str, problem: str) -> None:
        super().__init__(f"{option}: {problem}")
        self.option = option
        self.problem = problem


class FileFormatError(CupysimError):
    """A file does not have the expected format.

    Parameters
    ----------
    path : str
        File name, for the message.
    problem : str
        What is wrong, and what is accepted.
    line : int, optional
        Line of the file, counted from 1.
    """

    def __init__(self, path: object, problem: str, line: int | None = None) -> None:
        where = f"{path}" if line is None else f"{path}, line {line}"
        super().__init__(f"{where}: {problem}")
        self.path = str(path)
        self.line = line


class ModelError(CupysimError):
    """Parts of an experiment are impossible, or do not fit together."""


class DeviceError(CupysimError):
    """A backend or its device does not work, independent of the experiment."""


class OutOfMemory(DeviceError, MemoryError):  # noqa: N818  # as Python's own
    """A device has too little memory for this image; another image may need less."""


class CupysimWarning(UserWarning):
    """A message that the user should know; the run continues."""
