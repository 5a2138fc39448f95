# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a changed file needs of the other files of the same update, asked of the compiler's own words.

A file is rarely a whole fix: a function has got a parameter, its header and its callers changed with it. The
compiler names what is missing, and the update says where that came from. Only those changes are taken that
declare, define or use such a name: the rest of a header belongs to other fixes.
"""
import functools
import os
import re

import corpusfixes
import kernelsource

# So many rounds of compiling; each finds what the one before brought along.
ROUNDS = 8
FILES = 24
HEADERS = 40

ERROR = re.compile(r"^([^\s:]+):\d+:\d+: (?:fatal )?error: (.*)$")
QUOTED = re.compile(r"['‘]([^'’]+)['’]")
MEMBER = re.compile(r"['‘](?:const |volatile )*struct (\w+)['’](?: \{aka [^}]*\})? has no member named ['‘](\w+)['’]")
MISSING_SYMBOL = re.compile(r"^'([^']+)' is not in '")
WORD = re.compile(r"[A-Za-z_]\w*")
KEYWORDS = {"struct", "union", "enum", "const", "volatile", "static", "inline", "extern", "unsigned", "signed", "int",
            "long", "short", "char", "void", "bool", "if", "else", "for", "while", "return", "sizeof", "switch", "case",
            "break", "continue", "goto", "do", "NULL", "true", "false", "include"}


def complaints(words):
    """(file, names, structure that lacks the name or None) of each error. Without a name in the error itself
    these are the names of the line of source that the compiler prints below it."""
    lines = words.splitlines()
    for at, line in enumerate(lines):
        found = ERROR.match(line)
        if not found:
            continue
        path, text = found[1], found[2].split("; did you mean")[0]
        member = MEMBER.search(text)
        if member:
            yield path, {member[2]}, member[1]
            continue
        names = {word for quoted in QUOTED.findall(text) for word in WORD.findall(quoted)} - KEYWORDS
        missing = re.match(r"([\w./-]+\.h): No such file", text)
        if missing:
            names = {missing[1]}
        shown = lines[at + 1].partition("|")[2] if at + 1 < len(lines) and "|" in lines[at + 1] else ""
        yield path, names or set(WORD.findall(shown)) - KEYWORDS, None


def declares(line, name):
    """Does a line of a header or of a file's top level introduce a name? By the kernel's layout."""
    word = re.escape(name)
    return re.search(rf"^\s*#\s*define\s+{word}\b|\b(struct|union|enum)\s+{word}\s*\{{|\btypedef\b.*\b{word}\b|"
                     rf"^\}}\s*{word}\b|^\w[\w\s\*]*\b{word}\s*(\(|;|=|\[|$)|^{word}\s*\(|"
                     rf"^\s+{word}\s*(=[^=].*)?(,|$)|^\s+[\w\s\*]+[\s\*]{word}\s*(\[.*\])?(:\s*\w+)?;|"
                     rf"^\w+\(.*\b{word}\b.*\)", line) is not None


class Update:
    """All that changed between two trees; a change is a tuple as kernelsource.changes() gives it."""

    def __init__(self, old, new):
        self.old, self.new = old, new
        changed, alone = corpusfixes.changed_files(old, new)
        self.files = set(changed) | {path for path in alone if (self.new / path).exists()}

    @functools.lru_cache(maxsize=4096)
    def lines(self, path):
        return tuple(kernelsource.lines_of(self.old / path)), tuple(kernelsource.lines_of(self.new / path))

    @functools.lru_cache(maxsize=4096)
    def changes(self, path):
        old, new = self.lines(path)
        return tuple(kernelsource.changes(list(old), list(new)))

    @functools.lru_cache(maxsize=None)
    def text(self, path):
        return (self.new / path).read_text(encoding="utf-8", errors="surrogateescape")

    def mentioning(self, name):
        """Changed files that have the name at all, in their new text."""
        word = re.compile(rf"\b{re.escape(name)}\b")
        return [path for path in sorted(self.files) if name in self.text(path) and word.search(self.text(path))]

    def changes_with(self, path, fits):
        """The changes that have a line for which fits(number, line) in the new text, or the old one."""
        old, new = self.lines(path)
        found = set()
        for change in self.changes(path):
            sides = ((new, change[2], change[3]), (old, change[0], change[1]))
            if any(fits(side, at, side[at]) for side, first, count in sides for at in range(first - 1, first - 1 + count)
                   if count):
                found.add(change)
        return found

    def in_structure(self, name, structure):
        """Changes of headers that give a structure a member."""
        word = re.compile(rf"\b{re.escape(name)}\b")

        def fits(side, at, line):
            if not word.search(line):
                return False
            head = next((side[n] for n in range(at, -1, -1) if re.match(r"\S.*\{\s*$", side[n])), "")
            return re.search(rf"\bstruct {re.escape(structure)}\b", head) is not None
        return {path: found for path in self.mentioning(name) if (found := self.changes_with(path, fits))}

    def naming(self, name):
        """Changes of headers that have a name, be it only before."""
        word = re.compile(rf"\b{re.escape(name)}\b")
        return {path: found for path in sorted(self.files) if path.endswith(".h")
                if any(name in line for side in self.lines(path) for line in side)
                if (found := self.changes_with(path, lambda side, at, line: word.search(line)))}

    def declaring(self, name):
        """Changes of headers that introduce a name. A name that is everywhere is not what is missing."""
        headers = [path for path in self.mentioning(name) if path.endswith(".h")]
        return {path: found for path in headers if len(headers) <= HEADERS
                if (found := self.changes_with(path, lambda side, at, line: declares(line, name)))}

    def defining(self, name):
        """Changes of C files in the function of that name."""
        result = {}
        for path in self.mentioning(name):
            old, new = self.lines(path)
            after = list(kernelsource.function_ranges(new, name)) if path.endswith(".c") else []
            before = list(kernelsource.function_ranges(old, name)) if after else []
            found = {c for c in self.changes(path)
                     if kernelsource.touches(after, c[2], c[3]) or kernelsource.touches(before, c[0], c[1])}
            if found:
                result[path] = found
        return result

    def using(self, path, names):
        """Changes of one file that have any of the names; all of them, if none has."""
        if path not in self.files:
            return {}
        word = re.compile(r"\b(" + "|".join(map(re.escape, names)) + r")\b") if names else re.compile(r"")
        found = self.changes_with(path, lambda side, at, line: word.search(line))
        return {path: found or set(self.changes(path))}

    def new_text(self, path, chosen):
        """The lines of a file with only those changes; None: all."""
        old, new = self.lines(path)
        return list(new) if chosen is None else kernelsource.take(list(old), list(new), sorted(chosen))

    def diff(self, selection):
        """One fix; SELECTION: {path: set of changes, or None for all}"""
        return b"".join(kernelsource.file_diff(path, list(self.lines(path)[0]), self.new_text(path, chosen))
                        for path, chosen in sorted(selection.items()))

    def is_code_only(self, selection):
        return all(corpusfixes.is_code_only(list(self.lines(path)[0]), self.new_text(path, chosen))
                   for path, chosen in selection.items())

    def needs(self, words, findings):
        """What a failed attempt asks for, {path: set of changes}: from the compiler's words, and from the symbols
        that the builder did not find (rule, text)."""
        result = {}

        def add(more):
            for path, found in more.items():
                result.setdefault(path, set()).update(found)
        for path, names, structure in complaints(words):
            for name in names:
                if name.endswith(".h"):
                    add({p: set(self.changes(p)) for p in self.files if p.endswith("/" + name)})
                elif structure:
                    # The member is new, or it is of another structure that took this one's place.
                    add(self.in_structure(name, structure) or self.naming(structure))
                else:
                    add(self.declaring(name))
            add(self.using(os.path.normpath(path), names))
        for rule, text in findings:
            found = MISSING_SYMBOL.match(text) if rule == "missing-symbol" else None
            if found:
                add(self.defining(found[1]))
        return result


def extend(selection, more):
    """SELECTION with what is more, or None if that is nothing new or too much."""
    result = dict(selection)
    for path, found in more.items():
        chosen = result.get(path, set())
        if chosen is not None and not found <= chosen:
            result[path] = chosen | found
    return result if result != selection and len(result) <= FILES else None
