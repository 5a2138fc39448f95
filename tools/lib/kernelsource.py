# SPDX-License-Identifier: LGPL-2.1-or-later
"""Fixes out of a distribution's own source packages, made when they are needed and never stored.

Two versions of a source package differ in hundreds of fixes. What belongs to one of them is told by file
and, where a file has several, by the functions that its hunks touch. Packages are fetched by name with apt
and unpacked in the cache; nothing is installed.
"""
import contextlib
import fcntl
import hashlib
import os
import pathlib
import re
import shutil
import subprocess
import tempfile

TOP = pathlib.Path(__file__).resolve().parent.parent.parent
CACHE = pathlib.Path(os.environ.get("HOTPATCH_CACHE") or TOP / "build/cache")
# What no kernel of this architecture is built from, and half of the tree.
LEFT_OUT = ["Documentation", "tools", "samples", "arch/[!x]*", "arch/xtensa"]


class SourceError(Exception):
    """What went wrong, in a sentence."""


def run(*command, **options):
    """The output of a command that has to succeed."""
    done = subprocess.run([str(c) for c in command], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          stdin=subprocess.DEVNULL, check=False, **options)
    if done.returncode:
        words = done.stderr.decode(errors="replace").strip().splitlines()
        raise SourceError(f"{' '.join(str(c) for c in command[:4])}: " + (words[-1] if words else "failed"))
    return done.stdout


@contextlib.contextmanager
def making(name):
    """Yields None if NAME is in the cache, else an empty folder whose 'out' becomes it. As cached() in
    common.sh: one run makes it, others wait, and it appears when it is complete."""
    CACHE.mkdir(parents=True, exist_ok=True)
    path = CACHE / name
    if path.exists():
        yield None
        return
    with open(CACHE / f".lock-{name}", "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if path.exists():
            yield None
            return
        work = pathlib.Path(tempfile.mkdtemp(prefix=".work-", dir=CACHE))
        try:
            yield work
            (work / "out").rename(path)
        finally:
            shutil.rmtree(work, ignore_errors=True)


def package_of(version):
    """The source package of a version: "linux-source-6.1" for "6.1.176-1"."""
    found = re.match(r"^(\d+\.\d+)\.\d+-", version)
    if not found:
        raise SourceError(f"'{version}' is not the version of a linux-source package, such as 6.1.176-1")
    return f"linux-source-{found[1]}"


def source_package(version):
    """Path of the package's file, downloaded if it is not in the cache."""
    package, folder = package_of(version), CACHE / "debs"
    path = folder / f"{package}_{version}_all.deb"
    if path.exists():
        return path
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".work-", dir=CACHE) as work:
        download = ["apt-get", "-q", "-o", "APT::Sandbox::User=root", "download", f"{package}={version}"]
        try:
            run(*download, cwd=work)
        except SourceError:
            run("apt-get", "-q", "update")
            run(*download, cwd=work)
        found = list(pathlib.Path(work).glob("*.deb"))
        if len(found) != 1:
            raise SourceError(f"apt has no {package} {version}")
        found[0].rename(path)
    return path


def unpack(version, folder, *options):
    """The source of a version into a folder; what is not there is no error."""
    folder.mkdir()
    script = ('dpkg-deb --fsys-tarfile "$1" | tar -xO --wildcards "./usr/src/linux-source-*.tar.xz" | '
              'xz -dc -T0 | tar -x -C "$2" --strip-components=1 --wildcards --no-wildcards-match-slash '
              '"${@:3}"')
    done = subprocess.run(["bash", "-c", script, "bash", source_package(version), folder, *options],
                          stderr=subprocess.PIPE, check=False)
    if done.returncode and b"Not found in archive" not in done.stderr:
        raise SourceError(f"cannot unpack the source of {version}: {done.stderr.decode()[-200:]}")


def source_tree(version):
    """The source of a version, but for what no kernel of ours is built from."""
    name = f"source-{version}-1"
    with making(name) as work:
        if work:
            unpack(version, work / "out", *[f"--exclude=*/{path}" for path in LEFT_OUT])
    return CACHE / name


def source_files(version, paths):
    """A folder with at least those files of a version, and not the gigabyte of the whole."""
    if (CACHE / f"source-{version}-1").exists():
        return source_tree(version)
    paths = sorted(paths)
    name = f"files-{version}-{hashlib.sha256(chr(10).join(paths).encode()).hexdigest()[:16]}"
    with making(name) as work:
        if work:
            unpack(version, work / "out", *[f"*/{path}" for path in paths])
    return CACHE / name


def lines_of(path):
    try:
        return path.read_text(encoding="utf-8", errors="surrogateescape").splitlines(keepends=True)
    except FileNotFoundError:
        return []


def function_ranges(lines, name):
    """Line numbers [first, last] of each definition of a function, by the kernel's own layout: the name
    and a bracket in a line that starts in the first column, the body between { and } in the first."""
    start = re.compile(rf"^[A-Za-z_].*\b{re.escape(name)}\s*[(,)]|^{re.escape(name)}\(")
    for at, line in enumerate(lines):
        if not start.match(line):
            continue
        for body in range(at, min(at + 12, len(lines))):
            if lines[body].startswith("{"):
                end = next((n for n in range(body, len(lines)) if lines[n].startswith("}")), None)
                if end is not None:
                    yield at + 1, end + 1
                break
            if lines[body].rstrip().endswith(";"):
                break


def touches(ranges, first, count):
    """Does a hunk of count lines at first touch a range? Without lines it stands behind first."""
    if count == 0:
        return any(start <= first < end for start, end in ranges)
    return any(first <= end and first + count > start for start, end in ranges)


HUNK = re.compile(r"^@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@")


def changes(old, new):
    """(old line, count, new line, count) of each difference, as diff -U0 counts them."""
    with tempfile.TemporaryDirectory() as folder:
        paths = [pathlib.Path(folder) / side for side in ("old", "new")]
        for path, lines in zip(paths, (old, new)):
            path.write_text("".join(lines), encoding="utf-8", errors="surrogateescape")
        done = subprocess.run(["diff", "-U0", *paths], stdout=subprocess.PIPE, check=False)
    for line in done.stdout.decode(errors="surrogateescape").splitlines():
        found = HUNK.match(line)
        if found:
            yield tuple(int(number) if number else 1 for number in found.groups())


def take(old, new, chosen):
    """OLD with some of the changes that lead to NEW, in their order."""
    result, at = [], 0
    for old_first, old_count, new_first, new_count in chosen:
        # A hunk without old lines stands behind the line it names.
        begin = old_first - 1 if old_count else old_first
        result += old[at:begin] + new[new_first - 1:new_first - 1 + new_count]
        at = begin + old_count
    return result + old[at:]


def select(old, new, functions):
    """OLD with those changes of NEW that touch one of the functions; SourceError if one has none."""
    ranges = {}
    for name in functions:
        ranges[name] = list(function_ranges(old, name)), list(function_ranges(new, name))
        if not any(ranges[name]):
            raise SourceError(f"there is no function '{name}'")
    chosen, used = [], set()
    for change in changes(old, new):
        names = {name for name, (before, after) in ranges.items()
                 if touches(before, *change[:2]) or touches(after, *change[2:])}
        if names:
            used |= names
            chosen.append(change)
    if set(functions) - used:
        raise SourceError(f"nothing changes in '{sorted(set(functions) - used)[0]}'")
    return take(old, new, chosen)


def file_diff(path, old, new):
    """A unified diff of one file below the tree's root, as git labels it."""
    with tempfile.TemporaryDirectory() as folder:
        paths = [pathlib.Path(folder) / side for side in ("old", "new")]
        for side, lines in zip(paths, (old, new)):
            side.write_text("".join(lines), encoding="utf-8", errors="surrogateescape")
        labels = [f"a/{path}" if old else "/dev/null", f"b/{path}" if new else "/dev/null"]
        return subprocess.run(["diff", "-up", "--label", labels[0], "--label", labels[1], *paths],
                              stdout=subprocess.PIPE, check=False).stdout


def insert_behind(lines, insert):
    """LINES with what an author adds; INSERT: {the words of one line: what stands in a new one behind it}"""
    result, used = [], set()
    for line in lines:
        result.append(line)
        if line.strip() in insert:
            used.add(line.strip())
            result.append(f"{insert[line.strip()]}\n")
    if set(insert) - used:
        raise SourceError(f"there is no line '{sorted(set(insert) - used)[0]}'")
    return result


def make_fix(before, after, files, rename=None, insert=None):
    """The diff between two versions of FILES, a dictionary from path to the functions to take the changes
    of, in bytes; no functions: all of the file. RENAME is what a backport does to the new text: a word
    that the older tree does not have yet, and what to write for it. INSERT: see insert_behind()."""
    old_folder, new_folder = source_files(before, files), source_files(after, files)
    result = b""
    for path, functions in sorted(files.items()):
        old, new = lines_of(old_folder / path), lines_of(new_folder / path)
        for word, instead in (rename or {}).items():
            new = [re.sub(rf"\b{re.escape(word)}\b", instead, line) for line in new]
        if not old and not new:
            raise SourceError(f"neither version has a file '{path}'")
        try:
            new = select(old, new, functions) if functions else new
            part = file_diff(path, old, insert_behind(new, insert) if insert else new)
        except SourceError as error:
            raise SourceError(f"{path}: {error}") from error
        if not part:
            raise SourceError(f"{path} is the same in {before} and {after}")
        result += part
    return result
