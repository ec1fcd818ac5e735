"""Files which HDF5 fills, and disks which do not take them."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from cupysim.storage.patient_file import PatientFile


class TestPatientFile:
    def test_as_any_file(self, tmp_path: Path) -> None:
        with PatientFile(tmp_path / "a") as file:
            file.write(b"abcdef")
            file.seek(2)
            file.write(b"XY")
            assert file.tell() == 4
            file.seek(-3, os.SEEK_END)
            assert file.read(9) == b"Yef"
            file.truncate(5)
            file.finish()
        assert (tmp_path / "a").read_bytes() == b"abXYe"

    def test_a_full_disk(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """What was not written is read back all the same, and told at the end."""
        with PatientFile(tmp_path / "a") as file:
            file.write(b"0123456789")

            def full(*_: object) -> int:
                raise OSError(errno.ENOSPC, "full")

            monkeypatch.setattr(os, "pwrite", full)
            file.seek(5)
            assert file.write(b"abcdefgh") == 8
            file.seek(11)
            file.write(b"Z")
            file.seek(3)
            assert file.read(100) == b"34abcdefZh"
            for ask in (file.check, file.finish):
                with pytest.raises(OSError, match="full"):
                    ask()
