# SPDX-License-Identifier: LGPL-2.1-or-later
"""Every changed file between two source versions as one fix, and what kind of change it is by its text."""
import dataclasses
import os
import pathlib
import re

import kernelobjects
import kernelsource


@dataclasses.dataclass
class Fix:
    """One changed file. KIND is source, part (a C file that others include), header or assembly."""
    number: int
    path: str
    kind: str

    @property
    def name(self):
        return f"hp-corpus-{self.number:04d}"


def files_below(folder):
    for place, _, names in os.walk(folder):
        for name in names:
            if name.endswith((".c", ".h", ".S")):
                yield os.path.relpath(os.path.join(place, name), folder)


def changed_files(old, new):
    """(changed in both, only in one of them)"""
    mine, theirs = set(files_below(old)), set(files_below(new))
    changed = []
    for path in sorted(mine & theirs):
        a, b = old / path, new / path
        if a.stat().st_size != b.stat().st_size or a.read_bytes() != b.read_bytes():
            changed.append(path)
    return changed, mine ^ theirs


def includes(tree, path, name):
    return f'"{name}"' in (tree / path).read_text(encoding="utf-8", errors="replace") or \
        f'/{name}"' in (tree / path).read_text(encoding="utf-8", errors="replace")


class Built:
    """Does the configuration build anything out of a file?"""

    def __init__(self, release, version):
        self.tree = kernelsource.source_tree(version)
        self.objects = kernelobjects.built_objects(release, version)
        self.below = {}
        for name in self.objects:
            source = name[:-2] + ".c"
            if (self.tree / source).exists():
                for folder in pathlib.PurePath(source).parents:
                    self.below.setdefault(str(folder), []).append(source)

    def kind(self, path):
        """source, part, header, assembly, or None if this kernel has nothing of it"""
        stem, suffix = os.path.splitext(path)
        folder, name = os.path.split(path)
        if suffix != ".h" and f"{stem}.o" in self.objects:
            return "source" if suffix == ".c" else "assembly"
        if path.startswith(("include/", "arch/x86/include/")):
            return "header"
        # Others are included by their neighbours, or by what is below.
        near = self.below.get(folder, [])
        if suffix == ".h" and near:
            return "header"
        if suffix == ".c" and any(includes(self.tree, source, name) for source in near):
            return "part"
        return None


COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.S)
PROTOTYPE = re.compile(r"^(static |extern |inline |__must_check )*[a-z][\w \*]*\([^=;]*(;|,)$")
INIT = re.compile(r"\b__(init|exit|initdata|net_init|meminit|ref)\b")


def code_lines(lines):
    """Numbers of the lines that are in a function's head or body, and of those that say nothing to the
    compiler (comments, nothing, includes, prototypes)."""
    code, silent = set(), set()
    # Comments become as many empty lines.
    text = COMMENT.sub(lambda found: re.sub(r"[^\n]", "", found[0]), "".join(lines))
    head = None
    body = None
    for number, line in enumerate(text.split("\n"), 1):
        if body is not None:
            # A variable that outlives the call is data.
            if not re.match(r"\s+static\b", line):
                code.add(number)
            if line.startswith("}"):
                body = None
        elif line.startswith("{"):
            if head and not INIT.search(head[1]) and "(" in head[1]:
                body = number
                code |= set(range(head[0], number + 1))
            head = None
        elif not line.strip() or re.match(r"\s*#\s*include\b", line) or PROTOTYPE.match(line):
            silent.add(number)
            if PROTOTYPE.match(line) and line.endswith(","):
                head = number, line
        elif re.match(r"[A-Za-z_]", line) and not re.search(r"[;=]\s*$", line):
            head = number, line
        elif head:
            head = (head[0], head[1] + line) if not line.rstrip().endswith(";") else None
    return code, silent


def is_code_only(old, new):
    """Is every changed line, old and new, in the head or body of a function that lives as long as the
    kernel, or without meaning to the compiler? This looks at the text alone and asks no builder."""
    sides = [code_lines(old), code_lines(new)]
    some = False
    for old_first, old_count, new_first, new_count in kernelsource.changes(old, new):
        for (code, silent), first, count in zip(sides, (old_first, new_first), (old_count, new_count)):
            for number in range(first, first + count):
                if number in code:
                    some = True
                elif number not in silent:
                    return False
    return some


def fixes_between(before, after, release):
    """(list of Fix, counts of what is none: a dictionary)"""
    old, new = kernelsource.source_tree(before), kernelsource.source_tree(after)
    built = Built(release, before)
    changed, alone = changed_files(old, new)
    fixes, not_built = [], 0
    for path in changed:
        kind = built.kind(path)
        if not kind:
            not_built += 1
        else:
            fixes.append(Fix(len(fixes) + 1, path, kind))
    return fixes, {"changed": len(changed), "added or removed": len(alone), "not built": not_built}
