"""Groups of panels in CrystFEL geometry files, as nested `PanelGroup`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from cupysim.errors import FileFormatError
from cupysim.formats.crystfel.syntax import GeometryText, Setting
from cupysim.models.panel import Panel
from cupysim.models.panel_group import PanelGroup

ALL = "all"
"""Group of all panels. CrystFEL makes it if a file has none."""

Member = Panel | PanelGroup


def grouped(
    path: object, text: GeometryText, panels: Mapping[str, Panel]
) -> tuple[tuple[Member, ...], list[str]]:
    """Panels within their groups.

    Parameters
    ----------
    path : path_like
        File name, for messages.
    text : GeometryText
        Content of the file.
    panels : mapping of str to Panel
        Panels by name.

    Returns
    -------
    members : tuple of Panel or PanelGroup
        Panels and the largest groups.
    remarks : list of str
        Notes for the user.

    Raises
    ------
    FileFormatError
        If a group has an unknown member, contains itself, or shares a member with another group
        of the keys ``group_NAME``.

    Notes
    -----
    Groups have the axes of the laboratory. The keys ``group_NAME`` (CrystFEL 0.11 and later) have
    precedence. ``rigid_group_NAME`` (0.10) are sets of panels; smaller sets are nested in larger
    ones. Those that overlap, or equal another one, are left out with a remark: no tree of groups
    can hold them. Groups do not act on images.
    """
    for name in (*text.groups, *text.rigid_groups):
        setting = (text.groups if name in text.groups else text.rigid_groups)[name]
        if not name or "/" in name or name != name.strip():
            raise FileFormatError(path, f"{name!r} is no name of a group", setting.line)
    rigid = {
        name: _listed(path, f"rigid_group_{name}", setting, panels)
        for name, setting in text.rigid_groups.items()
    }
    for name, setting in text.collections.items():
        _listed(path, f"rigid_group_collection_{name}", setting, rigid)
    if text.groups:
        remarks = (
            ["rigid_group keys are not used, because the file has group keys"] if rigid else []
        )
        members, told = _hierarchy(path, text.groups, panels)
        return members, remarks + told
    return _by_content(rigid, panels)


def _listed(
    path: object, key: str, setting: Setting, known: Mapping[str, object]
) -> tuple[str, ...]:
    """Names in a list; each must be known and occur once."""
    names = tuple(word.strip(" \t") for word in setting.text.split(","))
    for number, name in enumerate(names):
        if name not in known:
            told = f"there is no {name!r}" if name else "a name is missing"
            raise FileFormatError(path, f"{key}: {told}", setting.line)
        if name in names[:number]:
            raise FileFormatError(path, f"{key}: {name!r} is listed twice", setting.line)
    return names


def _hierarchy(
    path: object, groups: Mapping[str, Setting], panels: Mapping[str, Panel]
) -> tuple[tuple[Member, ...], list[str]]:
    """The tree of the keys ``group_NAME``."""
    for name, setting in groups.items():
        if name in panels:
            problem = f"group_{name}: a panel has the same name"
            raise FileFormatError(path, problem, setting.line)
    lists = {
        name: _listed(path, f"group_{name}", setting, {**panels, **groups})
        for name, setting in groups.items()
    }
    parents: dict[str, str] = {}
    for name, members in lists.items():
        for member in members:
            if member in parents:
                problem = f"group_{name}: {member!r} is also in group_{parents[member]}"
                raise FileFormatError(path, problem, groups[name].line)
            parents[member] = name
    for name, setting in groups.items():
        above, steps = parents.get(name), 0
        while above is not None and steps <= len(groups):
            if above == name:
                raise FileFormatError(path, f"group_{name} contains itself", setting.line)
            above, steps = parents.get(above), steps + 1

    def made(name: str) -> Member:
        if name in panels:
            return panels[name]
        return PanelGroup(name, [made(member) for member in lists[name]])

    remarks = []
    top = [name for name in (*panels, *groups) if name not in parents and name != ALL]
    if ALL in lists:
        if top:
            remarks.append(f"group_all does not contain {', '.join(top)}")
        if ALL in parents:
            problem = f"group_{parents[ALL]}: it cannot contain group_all, the largest group"
            raise FileFormatError(path, problem, groups[parents[ALL]].line)
        top = [*lists[ALL], *top]
    return tuple(made(name) for name in top), remarks


def _by_content(
    rigid: Mapping[str, Sequence[str]], panels: Mapping[str, Panel]
) -> tuple[tuple[Member, ...], list[str]]:
    """The tree of sets of panels: each set is within the smallest set that contains it."""
    sets = {name: frozenset(members) for name, members in rigid.items()}
    kept: list[str] = []
    left: dict[str, str] = {}
    # larger sets first, so that a set meets the sets that may contain it
    for name in sorted(sets, key=lambda each: -len(sets[each])):
        same = next((other for other in kept if sets[other] == sets[name]), None)
        across = next(
            (other for other in kept if sets[other] & sets[name] and not sets[name] <= sets[other]),
            None,
        )
        if name in panels:
            left[name] = "has the name of a panel"
        elif same is not None:
            left[name] = f"has the panels of {same}"
        elif across is not None:
            left[name] = f"overlaps with {across}"
        else:
            kept.append(name)
    parents: dict[str, str] = {}
    for name in reversed(kept):
        for member in rigid[name]:
            parents.setdefault(member, name)
    outer = {
        name: next(
            (other for other in reversed(kept[: kept.index(name)]) if sets[name] < sets[other]),
            None,
        )
        for name in kept
    }
    order = list(panels)

    def first(name: str) -> int:
        return min(order.index(member) for member in sets[name])

    def made(name: str) -> PanelGroup:
        inner: list[tuple[int, Member]] = [
            (first(other), made(other)) for other in kept if outer[other] == name
        ]
        inner += [(order.index(p), panels[p]) for p in sets[name] if parents[p] == name]
        return PanelGroup(name, [member for _, member in sorted(inner, key=lambda pair: pair[0])])

    top: list[tuple[int, Member]] = [(first(n), made(n)) for n in kept if outer[n] is None]
    top += [(order.index(name), panel) for name, panel in panels.items() if name not in parents]
    remarks = [
        f"rigid_group_{name} {why}, and is left out of the groups" for name, why in left.items()
    ]
    return tuple(member for _, member in sorted(top, key=lambda pair: pair[0])), remarks
