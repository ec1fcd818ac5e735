"""Lines of CrystFEL geometry files: top-level keys, defaults, panels, bad regions, groups."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field

from cupysim.errors import FileFormatError
from cupysim.formats.other_files import HEAD, kind_of_other
from cupysim.storage.reading import content

TOP_KEYS = frozenset(
    (
        "photon_energy",
        "wavelength",
        "electron_voltage",
        "bandwidth",
        "detector_shift_x",
        "detector_shift_y",
        "peak_list",
        "peak_list_type",
    )
)
"""Keys that belong to no panel."""

WAVELENGTH_KEYS = ("photon_energy", "wavelength", "electron_voltage")
"""Keys of which a file has one."""

OLD_NAMES = {
    "mask": "mask0_data",
    "mask_file": "mask0_file",
    "mask_good": "mask0_goodbits",
    "mask_bad": "mask0_badbits",
}
"""Old names of keys, and the names since CrystFEL 0.11."""

_PANEL_KEY = re.compile(
    r"(min|max)_(fs|ss)|corner_[xy]|fs|ss|res|clen|coffset|adu_per_(photon|eV)|max_adu|data|dim\d+"
    r"|no_index|mask_edge_pixels|mask\d+_(data|file|goodbits|badbits)"
    r"|flag_(lessthan|morethan|equal)|saturation_map(_file)?"
)
"""Keys of panels, and of the defaults of panels."""

_REGION_KEY = re.compile(r"(min|max)_(fs|ss|x|y)|panel")
"""Keys of bad regions."""

GAINS = ("adu_per_photon", "adu_per_eV")
"""Keys that replace each other."""

BLANKS = " \t"
"""Characters that are dropped around keys and values."""

_LINE_END = re.compile("\r\n|\r|\n")
"""Ends of lines. CrystFEL knows all three."""


@dataclass(frozen=True)
class Setting:
    """A value as the file has it.

    Parameters
    ----------
    text : str
        Text after the first ``=``, without blanks around it.
    line : int
        Line of the file, counted from 1.
    """

    text: str
    line: int


@dataclass
class Owner:
    """What keys belong to: the file, a panel, or a bad region.

    Parameters
    ----------
    line : int
        Line that first names it.
    settings : dict of str to Setting
        Its values by key, those that it takes from the defaults included.
    """

    line: int
    settings: dict[str, Setting] = field(default_factory=dict)


@dataclass
class GeometryText:
    """Content of a geometry file, not yet interpreted.

    Parameters
    ----------
    top : dict of str to Setting
        Keys of `TOP_KEYS`.
    clens : list of Setting
        Values of the key ``clen`` that name no panel, in the order of the file.
    panels, regions : dict of str to Owner
        Panels and bad regions in the order of their first mention.
    groups, rigid_groups, collections : dict of str to Setting
        Groups by name, without the beginning of the key.
    panel_clen : Setting, optional
        First camera length of a panel, which only CrystFEL up to 0.10 reads.
    remarks : list of str
        What the user should know.
    """

    top: dict[str, Setting] = field(default_factory=dict)
    clens: list[Setting] = field(default_factory=list)
    panels: dict[str, Owner] = field(default_factory=dict)
    regions: dict[str, Owner] = field(default_factory=dict)
    groups: dict[str, Setting] = field(default_factory=dict)
    rigid_groups: dict[str, Setting] = field(default_factory=dict)
    collections: dict[str, Setting] = field(default_factory=dict)
    panel_clen: Setting | None = None
    remarks: list[str] = field(default_factory=list)


GROUP_KINDS = (
    ("rigid_group_collection_", "collections"),
    ("rigid_group_", "rigid_groups"),
    ("group_", "groups"),
)
"""Beginnings of keys of groups, and the attribute that they fill."""


def read_text(path: os.PathLike[str] | str) -> GeometryText:
    """Read the lines of a geometry file.

    Parameters
    ----------
    path : path_like
        File to read.

    Returns
    -------
    GeometryText
        Keys and values.

    Raises
    ------
    FileFormatError
        If a line has no ``=``, a default follows the last panel, or a wavelength is given twice.

    Notes
    -----
    A panel takes the defaults as they are at the line that first names it. The text is UTF-8;
    comments may hold other bytes.
    """
    data = content(path)
    kind = kind_of_other(data[:HEAD])
    if b"\0" in data:
        raise FileFormatError(path, kind or "a binary file, not a geometry file of CrystFEL")
    if data.startswith(b"\xef\xbb\xbf"):
        problem = "the file begins with a byte order mark, which CrystFEL takes for a part of a key"
        raise FileFormatError(path, problem, 1)
    # words of comments may look like those of another kind: they only explain an error
    hint = f"; it looks like {kind}" if kind and "-geom" not in kind else ""
    if not kind and data.lstrip().startswith(b"{"):
        hint = "; give a DIALS experiment list by -expt"
    parser = _Parser(path, hint)
    lines = _LINE_END.split(data.decode("utf-8", errors="surrogateescape"))
    for number, line in enumerate(lines, 1):
        parser.take(line, number)
    return parser.finished()


class _Parser:
    """Reads a file line by line.

    Parameters
    ----------
    path : path_like
        File name, for messages.
    hint : str
        Words about the kind of the file, for messages about files that are no geometry.
    """

    def __init__(self, path: object, hint: str) -> None:
        self.path = path
        self.hint = hint
        self.text = GeometryText()
        self.defaults: dict[str, Setting] = {}
        self.unused: dict[str, int] = {}
        self.unknown: dict[str, int] = {}

    def take(self, line: str, number: int) -> None:
        """Read a line."""
        words = line.split(";", 1)[0].strip(BLANKS)
        if not words:
            return
        if not words.isprintable() and not words.replace("\t", " ").isprintable():
            raise FileFormatError(self.path, "characters that are no text", number)
        if "=" not in words:
            problem = f"no '=' in {words[:40]!r}; 'key = value' is expected{self.hint}"
            raise FileFormatError(self.path, problem, number)
        key, value = (part.strip(BLANKS) for part in words.split("=", 1))
        setting = Setting(value, number)
        if not key:
            raise FileFormatError(self.path, "no key before '='", number)
        for beginning, attribute in GROUP_KINDS:
            if key.startswith(beginning):
                name = key.removeprefix(beginning)
                self._put(getattr(self.text, attribute), name, setting, key)
                return
        if "/" in key:
            name, _, of_panel = key.partition("/")
            self._of_panel(name, of_panel, setting)
        elif key in TOP_KEYS:
            if key in WAVELENGTH_KEYS:
                self._check_wavelength(key, setting)
            self._put(self.text.top, key, setting, key)
        else:
            self._default(key, setting)

    def _of_panel(self, name: str, key: str, setting: Setting) -> None:
        if not name or not key or name != name.strip(BLANKS) or key != key.strip(BLANKS):
            problem = f"'{name}/{key}': no blanks around '/', and a name on both sides"
            raise FileFormatError(self.path, problem, setting.line)
        if name.startswith("bad"):
            owner = self.text.regions.setdefault(name, Owner(setting.line))
            if _REGION_KEY.fullmatch(key):
                self._put(owner.settings, key, setting, f"{name}/{key}")
            else:
                self.unknown.setdefault(f"{name}/{key}", setting.line)
            return
        owner = self.text.panels.setdefault(name, Owner(setting.line, dict(self.defaults)))
        if owner.line == setting.line:
            self.unused.clear()
        key = OLD_NAMES.get(key, key)
        if not _PANEL_KEY.fullmatch(key):
            self.unknown.setdefault(f"{name}/{key}", setting.line)
            return
        if key == "clen" and self.text.panel_clen is None:
            self.text.panel_clen = setting
        self._replace_gain(owner.settings, key, owner.line, setting, f"{name}/")
        self._put(owner.settings, key, setting, f"{name}/{key}", owner.line)

    def _default(self, key: str, setting: Setting) -> None:
        key = OLD_NAMES.get(key, key)
        if not _PANEL_KEY.fullmatch(key):
            self.unknown.setdefault(key, setting.line)
            return
        last_birth = max((owner.line for owner in self.text.panels.values()), default=0)
        self._replace_gain(self.defaults, key, last_birth + 1, setting, "")
        self._put(self.defaults, key, setting, key, last_birth + 1)
        self.unused[key] = setting.line
        if key == "clen":
            self.text.clens.append(setting)

    def _put(
        self, settings: dict[str, Setting], key: str, setting: Setting, name: str, since: int = 0
    ) -> None:
        """Set a value. Values from lines before `since` may be replaced without a remark.

        Flags do not replace each other: the next ones have the keys ``flag_equal#2`` and so on.
        """
        if key.startswith("flag_"):
            alike = [other for other in settings if other.partition("#")[0] == key]
            key = f"{key}#{len(alike) + 1}" if alike else key
        old = settings.get(key)
        if old is not None and old.line >= since:
            self.text.remarks.append(
                f"{name} is given in line {old.line} and again in line {setting.line}; the last "
                "one is used"
            )
        settings[key] = setting

    def _replace_gain(
        self, settings: dict[str, Setting], key: str, since: int, setting: Setting, prefix: str
    ) -> None:
        """Drop the other key of the gain: the last one is used."""
        if key not in GAINS:
            return
        other = GAINS[1 - GAINS.index(key)]
        old = settings.pop(other, None)
        if old is not None and old.line >= since:
            self.text.remarks.append(
                f"{prefix}{other} (line {old.line}) is replaced by {prefix}{key} (line "
                f"{setting.line})"
            )

    def _check_wavelength(self, key: str, setting: Setting) -> None:
        for other in WAVELENGTH_KEYS:
            old = self.text.top.get(other)
            if old is not None and (other, old.text) != (key, setting.text):
                problem = (
                    f"two wavelengths: {key} = {setting.text}, but line {old.line} has {other} = "
                    f"{old.text}"
                )
                raise FileFormatError(self.path, problem, setting.line)

    def finished(self) -> GeometryText:
        """The content, after the last line."""
        text = self.text
        if not text.panels:
            raise FileFormatError(self.path, f"it has no panels (NAME/min_fs = ...){self.hint}")
        if text.panel_clen is None:
            # a key of the file since CrystFEL 0.11, wherever it stands
            self.unused.pop("clen", None)
        for key, line in self.unused.items():
            problem = f"no panel follows the default {key}; defaults stand before the panels"
            raise FileFormatError(self.path, problem, line)
        if self.unknown:
            names = ", ".join(f"{key} (line {line})" for key, line in self.unknown.items())
            text.remarks.append(f"keys that are not known, and not used: {names}")
        return text
