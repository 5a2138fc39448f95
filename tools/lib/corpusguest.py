# SPDX-License-Identifier: LGPL-2.1-or-later
"""Load many patch modules in guests, and tell by which of them a guest was harmed.

One guest takes one module after the other. When it dies, hangs, or its kernel complains, the module that
was at work is to blame; the rest goes on in a fresh guest.
"""
import os
import pathlib
import selectors
import shutil
import signal
import subprocess
import tempfile
import time

import kernelsource

LIB = pathlib.Path(__file__).resolve().parent
EXERCISE = kernelsource.TOP / "tests/corpus/exercise.c"
# Longer than any step in the guest may take.
SILENCE = 240
# A guest remembers nothing, so that many at a time save boots; few enough that one lost guest costs little.
BATCH = 50


def build_exercise(folder):
    program = folder / "exercise"
    kernelsource.run("gcc", "-O2", "-static", "-pthread", "-o", program, EXERCISE)
    return program


class Guest:
    """One boot, and what it said about each module."""

    def __init__(self, release, folder, launcher):
        self.command = [*launcher, kernelsource.TOP / "tools/vm", "--kernel", release, "--allow-oops",
                        "--timeout", "14400", "--put", f"{folder}:/root/corpus", "--",
                        "bash", "-c", "bash /root/corpus/run.sh </root/corpus/list"]
        self.at = None
        self.ends = {}

    def take(self, line):
        words = line.split(" ", 3)
        if words[0] == "at" and len(words) >= 3:
            self.at = int(words[1]), words[2]
        elif words[0] == "end" and len(words) >= 3:
            rest = words[3] if len(words) > 3 else ""
            self.ends[int(words[1])] = (words[2], rest)
            self.at = None

    def run(self):
        """Returns why it ended early, or None."""
        with tempfile.TemporaryFile() as errors, \
                subprocess.Popen([str(word) for word in self.command], stdout=subprocess.PIPE, stderr=errors,
                                 stdin=subprocess.DEVNULL, start_new_session=True) as vm:
            try:
                hung = self.follow(vm)
            except BaseException:
                os.killpg(vm.pid, signal.SIGTERM)
                raise
            if hung:
                # All of them: what stands before tools/vm need not pass it on.
                os.killpg(vm.pid, signal.SIGTERM)
            status = vm.wait()
            errors.seek(0)
            words = errors.read().decode(errors="replace")
        if hung:
            return f"nothing was heard for {SILENCE} seconds"
        return f"the guest died: {last_words(words)}" if status else None

    def follow(self, vm):
        buffer, heard = b"", time.monotonic()
        selector = selectors.DefaultSelector()
        selector.register(vm.stdout, selectors.EVENT_READ)
        # Until the first word it waits for a slot, makes images and boots.
        while True:
            if not selector.select(5):
                if self.at and time.monotonic() - heard > SILENCE:
                    return True
                continue
            data = os.read(vm.stdout.fileno(), 65536)
            if not data:
                return False
            heard = time.monotonic()
            *lines, buffer = (buffer + data).split(b"\n")
            for line in lines:
                self.take(line.decode(errors="replace").strip())


def last_words(text):
    """The line of a dead guest's console that tells most."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    for sign in ("BUG:", "Oops", "general protection", "Kernel panic", "WARNING:", "RIP:"):
        for line in lines:
            if sign in line:
                return line[-160:]
    return lines[-1][-160:] if lines else "no word"


def load_all(release, jobs, launcher, progress):
    """JOBS: list of (number, module path, objects). Returns {number: {"result": "ok" or "bad", …}}."""
    results, waiting, without_object = {}, list(jobs), set()
    with tempfile.TemporaryDirectory(prefix="hotpatch-corpus-") as folder:
        folder = pathlib.Path(folder)
        build_exercise(folder)
        shutil.copy(LIB / "corpus-guest.sh", folder / "run.sh")
        while waiting:
            batch = waiting[:BATCH]
            for stale in folder.glob("*.ko"):
                stale.unlink()
            with open(folder / "list", "w", encoding="utf-8") as lines:
                for number, module, objects in batch:
                    shutil.copy(module, folder)
                    print(number, module.name, *([] if number in without_object else objects), file=lines)
            guest, before = Guest(release, folder, launcher), len(results) + len(without_object)
            why = guest.run()
            if 0 in guest.ends:
                raise kernelsource.SourceError(f"the unpatched guest is not well: {guest.ends[0][1]}")
            for number, (verdict, rest) in guest.ends.items():
                results[number] = {"result": verdict, "milliseconds": int(rest)} if verdict == "ok" else \
                    {"result": verdict, "why": rest}
            if guest.at and guest.at[1] == "modprobe":
                # The object that is to be patched harms this guest by itself: without it then.
                without_object.add(guest.at[0])
            elif guest.at:
                results[guest.at[0]] = {"result": "bad", "why": f"{guest.at[1]}: {why or 'the guest went away'}"}
            if len(results) + len(without_object) == before:
                raise kernelsource.SourceError(f"the guest does not work: {why or 'it said nothing'}")
            waiting = [job for job in waiting if job[0] not in results]
            progress(f"{len(results)} of {len(jobs)} loaded, "
                     f"{sum(r['result'] == 'bad' for r in results.values())} bad")
    return results


