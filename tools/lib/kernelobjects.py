# SPDX-License-Identifier: LGPL-2.1-or-later
"""Which objects a kernel's configuration builds, asked of its Kbuild files without building anything."""
import concurrent.futures
import json
import os
import pathlib
import subprocess
import sys

import kernelsource

RULES = pathlib.Path(__file__).resolve().parent / "objects.mk"
# The top of the tree, as ./Kbuild and arch/x86/Makefile have it; the folders below name each other.
TOP_FOLDERS = ["init", "usr", "arch/x86", "kernel", "certs", "mm", "fs", "ipc", "security", "crypto", "block",
               "io_uring", "lib", "arch/x86/lib", "drivers", "sound", "net", "virt", "arch/x86/pci",
               "arch/x86/power", "arch/x86/video"]


def headers_folder(release):
    """The headers of a release, unpacked in the cache."""
    return pathlib.Path(kernelsource.run(kernelsource.TOP / "tools/kernel-headers", release).decode().strip())


def ask(tree, auto_conf, folder):
    """(objects, folders below) of one folder."""
    done = subprocess.run(["make", "-rR", "-s", "-f", RULES, f"obj={folder}", f"auto_conf={auto_conf}"], cwd=tree,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, check=False)
    words = {"object": [], "folder": []}
    for line in done.stdout.decode().splitlines():
        key, *rest = line.split()
        if key in words:
            words[key] += rest
    if done.returncode:
        # A folder of another architecture, such as fs/hostfs, whose rules are not even there.
        print(f"the Kbuild file of {folder} was left out: {done.stderr.decode().strip()[:200]}", file=sys.stderr)
        return [], []
    return words["object"], [os.path.normpath(path) for path in words["folder"]]


def walk(tree, auto_conf):
    objects, seen, waiting = set(), set(TOP_FOLDERS), [f for f in TOP_FOLDERS if (tree / f).is_dir()]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        while waiting:
            answers, waiting = pool.map(lambda folder: ask(tree, auto_conf, folder), waiting), []
            for found, folders in answers:
                objects |= {os.path.normpath(path) for path in found if path.endswith(".o")}
                waiting += [path for path in folders if path not in seen and (tree / path).is_dir()]
                seen |= set(folders)
    return objects


def built_objects(release, version):
    """The set of objects, "fs/namespace.o", that the kernel RELEASE, of source VERSION, is made of."""
    name = f"objects-{release}-{version}-1"
    with kernelsource.making(name) as work:
        if work:
            found = walk(kernelsource.source_tree(version), headers_folder(release) / "include/config/auto.conf")
            (work / "out").write_text(json.dumps(sorted(found)), encoding="utf-8")
    return set(json.loads((kernelsource.CACHE / name).read_text(encoding="utf-8")))
