# SPDX-License-Identifier: LGPL-2.1-or-later
"""What came out of a corpus, as a table and as a section of doc/coverage.md."""
import collections
import datetime
import re
import statistics

# Rules that say that a change is not one of code, whatever its text looks like.
NO_CODE = {"build-files", "data-layout", "data-value", "data-removed", "export-changed", "init-code",
           "module-interface", "tracepoint"}
# Rules that say that there is nothing to do on this kernel.
NOTHING = {"no-change", "not-built"}


def outcome(record):
    """built, nothing, incomplete, refused or failed"""
    if record["result"] == "refused" and record["rules"] and set(record["rules"]) <= NOTHING:
        return "nothing"
    return record["result"]


def is_wrong(record):
    return record.get("load", {}).get("result") == "bad"


def percentile(values, part):
    values = sorted(values)
    return values[min(len(values) - 1, int(len(values) * part))]


def summary(records):
    """Figures of all kinds, for the table and for --json."""
    counts = collections.Counter(outcome(r) for r in records)
    built = [r for r in records if outcome(r) == "built"]
    loaded = [r for r in built if "load" in r]
    text = [r for r in records if r["code_only"] and outcome(r) not in ("nothing", "incomplete")]
    # What the builder refuses because it touches more than code after all.
    code = [r for r in text if not (outcome(r) == "refused" and set(r["rules"]) & NO_CODE)]
    seconds = [r["seconds"] for r in records if outcome(r) in ("built", "refused")]
    source = [r["seconds"] for r in built if r["kind"] == "source"]
    own = [1 - r["compiler_seconds"] / r["seconds"] for r in built if r.get("compiler_seconds") and r["seconds"]]
    rules = collections.Counter(rule for r in records if outcome(r) == "refused" for rule in set(r["rules"]))
    return {
        "fixes": len(records), **{key: counts[key] for key in ("built", "refused", "failed", "nothing", "incomplete")},
        "grouped": sum(bool(r.get("with")) for r in records), "loaded": len(loaded), "wrong": sum(is_wrong(r) for r in loaded),
        "code_only": len(text), "code_only_good": good(text),
        "code_only_narrow": len(code), "code_only_narrow_good": good(code),
        "rules": dict(rules.most_common()),
        "seconds_median": statistics.median(seconds) if seconds else None,
        "seconds_p90": percentile(seconds, 0.9) if seconds else None,
        "seconds_max": max(seconds, default=None),
        "one_file_median": statistics.median(source) if source else None,
        "own_share_median": statistics.median(own) if own else None,
        "peak_kib": max((r["peak_kib"] for r in records), default=None),
    }


def good(records):
    return sum(outcome(r) == "built" and not is_wrong(r) for r in records)


def share(part, whole):
    return f"{part} of {whole} ({100 * part / whole:.0f} %)" if whole else "none"


def rows(s):
    yield "changed files that this kernel is built from", s["fixes"]
    yield "nothing to patch (comments, or code of other configurations)", s["nothing"]
    yield "incomplete: does not compile without what changed in other files", s["incomplete"]
    yield "tried with changes of other files that they need", s["grouped"]
    yield "**built**", s["built"]
    yield "**refused by a rule**", s["refused"]
    yield "**failed** (our fault)", s["failed"]
    if s["loaded"]:
        yield "loaded in a guest", s["loaded"]
        yield "**wrong** (did harm, did not finish, or could not be removed)", s["wrong"]
    yield "change of code only, by its text: good", share(s["code_only_good"], s["code_only"])
    yield "… without those that proved to touch data or an interface", \
        share(s["code_only_narrow_good"], s["code_only_narrow"])
    if s["seconds_median"] is not None:
        yield "seconds for a fix: median, 90 %, longest", \
            f"{s['seconds_median']:.1f}, {s['seconds_p90']:.1f}, {s['seconds_max']:.1f}"
    if s["one_file_median"] is not None:
        yield "seconds for a bundle of a fix in one C file: median", f"{s['one_file_median']:.1f}"
    if s["own_share_median"] is not None:
        yield "part of it that is not spent in the compiler and make: median", f"{100 * s['own_share_median']:.0f} %"
    if s["peak_kib"]:
        yield "most memory of one process, MiB", f"{s['peak_kib'] / 1024:.0f}"


def table(head, lines):
    return "\n".join([f"| {' | '.join(head)} |", "|" + "---|" * len(head),
                      *(f"| {' | '.join(str(cell).replace('|', '/') for cell in line)} |" for line in lines)])


def examples(records, rule):
    """Up to three fixes that the rule refused, the shortest sentences first."""
    found = [(text, r["path"]) for r in records if outcome(r) == "refused"
             for name, text in r["findings"] if name == rule]
    kept = sorted(set(found), key=lambda item: (len(item[0]), item))[:3]
    return "; ".join(f"`{path}`: {text}" for text, path in kept)


def section(before, after, release, sample, none, records):
    s = summary(records)
    what = f"all {none['fixes']}" if not sample else \
        f"{len(records)} of {none['fixes']}, drawn by chance (`--sample {sample[0]} --seed {sample[1]}`)"
    parts = [
        f"## {before} → {after}, on {release}",
        f"{datetime.date.today()}. {none['changed']} files differ, {none['not built']} of them not built by this "
        f"configuration; tried: {what}.",
        table(["", ""], rows(s)),
    ]
    if s["rules"]:
        parts += ["### Refused, by rule", "A fix that breaks several rules counts under each.",
                  table(["rule", "fixes", "for example"],
                        [[f"`{rule}`", n, examples(records, rule)] for rule, n in s["rules"].items()])]
    bad = [r for r in records if outcome(r) == "failed"]
    if bad:
        parts += ["### Failed", table(["file", "why"], [[f"`{r['path']}`", r["why"]] for r in bad])]
    wrong = [r for r in records if is_wrong(r)]
    if wrong:
        parts += ["### Wrong", table(["file", "what happened"],
                                     [[f"`{r['path']}`", r["load"]["why"]] for r in wrong])]
    return "\n\n".join(parts) + "\n"


INTRODUCTION = """<!-- SPDX-License-Identifier: LGPL-2.1-or-later -->
# Coverage

Made by `tools/corpus --write`: each C file or header that changed between two of Debian's source versions and that
the kernel's configuration builds is taken as one fix, and hotpatch-build is asked for a bundle. A file can hold several
real fixes at once, so this is harder than one fix at a time; and it can be a part of a fix: one that does not
compile by itself is tried again with those changes of other files that have the names the compiler misses, and with
the definition of a function that the kernel does not have yet, up to eight times; then it is given up as incomplete.

* *Code only* is told by the text of the change, before and without the builder: every changed line stands in the
  head or body of a function that is not `__init`, or is a comment, an include or a prototype. The second figure
  leaves out those that the builder refuses for data, layout or an interface all the same (a type that a function
  body uses changed in another way, a static variable): the reader can judge these by the table of rules.
* *Good* means built, and if it was loaded: the transition ended, a short walk through processes, memory, files
  and sockets gave the right answers with the patch and after it, the kernel said nothing bad, and the module could
  be removed again. Loading does not show that the fix repairs what it should; `tests/vm/real-fixes.sh` does,
  for a few.
* *Failed* is our fault; *wrong* is the worst outcome.
* Times are those of the machine, with whatever else it had to do; `doc/measurements.md` has quiet ones.
"""


def write(path, text):
    """Put a section into the report, in the place of the one with the same heading."""
    heading = text.split("\n", 1)[0]
    old = path.read_text(encoding="utf-8") if path.exists() else INTRODUCTION
    parts = re.split(r"^(?=## )", old, flags=re.M)
    parts[0] = INTRODUCTION
    kept = [part.strip() for part in parts if not part.startswith(heading + "\n")]
    path.write_text("\n\n".join(kept + [text.strip()]) + "\n", encoding="utf-8")
