#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The power is cut at every flush of the disk with the state directory, and between the flushes.

    tests/faults/power-replay.py [--type ext4|xfs|btrfs]… [--seed S] [--short] [--trace] [--keep FOLDER]

The real daemon on the made-up machine of tests/bus applies, supersedes, rolls back and removes patches. Its state
directory is a file system of its own, on a disk whose writes and flushes qemu-storage-daemon logs (block filter
blklogwrites, exported as a file by FUSE, mounted by a loop device). Then replay-states makes of the log every disk that a
power cut may have left, and judges it; the rules are at the head of replay-rules.c. With --short these are only the disks
that lose all that was not flushed, in the first operations. TAP on stdout. Root only.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
import traceback

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path.insert(0, os.path.join(HERE, '../bus'))
# pylint: disable=wrong-import-position
from hotpatchtest import BUILD, NO_OPTIONS, Pki, World, read, wait_for

REPLAY = os.path.join(BUILD, 'tests/faults/replay-states')
MIB = 1 << 20
# The smallest that each takes, with blocks as they are on a real disk.
FILE_SYSTEMS = {
    'ext4': (32, ['mke2fs', '-q', '-t', 'ext4', '-b', '4096', '-E', 'lazy_itable_init=0']),
    'xfs': (300, ['mkfs.xfs', '-q', '-f']),
    'btrfs': (110, ['mkfs.btrfs', '-q', '-f', '-M']),
}
WARNING = ('------------[ cut here ]------------', 'something is odd',
           'WARNING: CPU: 0 PID: 1 at a.c:1 new_hp_function+0x1/0x2 [hp_two]',
           'CPU: 0 PID: 1 Comm: a', 'Call Trace:', ' <TASK>', ' </TASK>', '---[ end trace 0000000000000000 ]---')


class LoggedDisk:
    """A file system at @where; everything that is written to it and flushed is in the log."""

    def __init__(self, folder, kind, where):
        size, make = FILE_SYSTEMS[kind]
        self.end = size * MIB
        self.where = where
        self.log = os.path.join(folder, 'log')
        self.disk = os.path.join(folder, 'disk')
        for name, length in (('data', self.end + MIB), ('log', 1 << 30), ('disk', 0)):
            with open(os.path.join(folder, name), 'wb') as f:
                f.truncate(length)
        self.export(folder)
        self.loop = subprocess.check_output(
            ['losetup', '--find', '--show', '--sizelimit', str(self.end), self.disk], text=True).strip()
        subprocess.run([*make, self.loop], check=True, stderr=subprocess.DEVNULL)
        os.makedirs(where, mode=0o700, exist_ok=True)
        subprocess.run(['mount', self.loop, where], check=True)
        shutil.rmtree(os.path.join(where, 'lost+found'), ignore_errors=True)
        # What comes later is the daemon's alone.
        os.sync()

    def export(self, folder):
        # Without no-flush a write that ends while the host flushes would stand before a flush that does not cover it.
        self.process = subprocess.Popen(
            ['qemu-storage-daemon',
             '--blockdev', 'driver=file,node-name=data,filename=%s/data,cache.no-flush=on' % folder,
             '--blockdev', 'driver=file,node-name=log,filename=%s/log,cache.no-flush=on' % folder,
             '--blockdev', 'driver=blklogwrites,node-name=disk,file=data,log=log',
             '--export', 'fuse,id=disk,node-name=disk,mountpoint=%s,writable=on' % self.disk])
        wait_for('the disk', lambda: os.path.getsize(self.disk) > 0 or self.process.poll() is not None)

    def mark(self, name, root):
        subprocess.run([REPLAY, 'mark', self.disk, str(self.end), name, root], check=True)

    def close(self):
        subprocess.run(['umount', self.where], check=True)
        subprocess.run(['losetup', '--detach', self.loop], check=True)
        self.process.terminate()
        self.process.wait()


# --- what is done ---

def finish(w, job):
    assert w.root.finish(job)[0] == 'done', w.root.finish(job)


def stage(w, name, **kwargs):
    w.root.apply_file(w.machine.bundle(name, **kwargs), 'Stage')


def roll_back(w):
    w.machine.say(*WARNING)
    wait_for('the old patch to be back', lambda: w.root.patches().get('hp-one') == 'active' and is_back(w))


def is_back(w):
    """It is over, and what came back is on trial again."""
    names = trials(w)
    try:
        kinds = [b'KIND=return\n' in read(w.machine.path('var/lib/hotpatch/trials/' + name)) for name in names]
    except FileNotFoundError:
        return False
    return kinds == [True] and not os.path.exists(w.machine.path('var/lib/hotpatch/intent'))


def trials(w):
    return os.listdir(w.machine.path('var/lib/hotpatch/trials'))


def end_trials(w):
    w.root.call('EndTrial', [n for n, s in w.root.patches().items() if s == 'active'], NO_OPTIONS)
    wait_for('the end of the trials', lambda: not trials(w))


OPERATIONS = (
    ('apply a file', lambda w: finish(w, w.root.apply_file(w.machine.bundle('hp-one', stream='line')))),
    ('its trial passes', end_trials),
    ('stage', lambda w: stage(w, 'hp-two', stream='line', sequence=2, supersedes=['hp-one'])),
    ('supersede', lambda w: finish(w, w.root.apply('hp-two'))),
    ('roll back', roll_back),
    ('release', lambda w: w.root.call('Release', ['hp-two'], NO_OPTIONS)),
    ('supersede again', lambda w: finish(w, w.root.apply('hp-two'))),
    ('it passes now', end_trials),
    ('stage three', lambda w: stage(w, 'hp-three', functions=(('vmlinux', 'hp_third'),))),
    ('stage four', lambda w: stage(w, 'hp-four', functions=(('vmlinux', 'hp_other'),), requires=['hp-three'])),
    ('two as one', lambda w: finish(w, w.root.apply('hp-three', 'hp-four'))),
    ('remove both', lambda w: finish(w, w.root.remove('hp-four', 'hp-three'))),
    ('remove', lambda w: finish(w, w.root.remove('hp-two'))),
)
SHORT = 5


def work(pki, disk_of, operations):
    """Everything once, with a mark after each."""
    with World(pki) as w:
        w.machine.configure(trial=['MinSec=600'])
        w.machine.open_log()
        disk = disk_of(w.machine.path('var/lib/hotpatch'))
        try:
            w.machine.write('fake/power-disk', '%s %d\n' % (disk.disk, disk.end + 512 * 1024))
            w.start()
            disk.mark('start', w.machine.root)
            for name, operation in operations:
                operation(w)
                wait_for('the end of ' + name, lambda: not w.machine.leftovers())
                disk.mark(name, w.machine.root)
            assert w.daemon.stop() == 0
        finally:
            if w.daemon:
                w.daemon.stop()
            disk.close()


def check(pki, kind, arguments, folder):
    environment = dict(os.environ, **({'REPLAY_TRACE': '1'} if arguments.trace else {}))
    disks = []
    started = time.monotonic()

    def make(where):
        disks.append(LoggedDisk(folder, kind, where))
        return disks[0]

    work(pki, make, OPERATIONS[:SHORT] if arguments.short else OPERATIONS)
    root = os.path.join(folder, 'root')
    os.makedirs(os.path.join(root, 'etc/hotpatch/trust.d'))
    shutil.copy(pki.path('root.pem'), os.path.join(root, 'etc/hotpatch/trust.d/test.pem'))
    done = subprocess.run([REPLAY, 'check', disks[0].log, str(disks[0].end), kind, str(arguments.seed),
                           os.path.join(folder, 'replay'), root, 'flushes' if arguments.short else 'all'], env=environment, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    print('\n'.join(line if line.startswith('# ') else '# ' + line for line in done.stdout.splitlines()))
    print('# %.0f s' % (time.monotonic() - started))
    return done.returncode == 0


def mount_privately():
    """Whoever makes himself a mount namespace meanwhile must not keep our disks mounted."""
    if 'HOTPATCH_PRIVATE' not in os.environ:
        os.environ['HOTPATCH_PRIVATE'] = '1'
        os.execvp('unshare', ['unshare', '--mount', '--propagation', 'private', sys.executable, *sys.argv])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--type', action='append', choices=list(FILE_SYSTEMS))
    parser.add_argument('--seed', type=int, default=1)
    parser.add_argument('--short', action='store_true', help='nothing between two flushes, and the rollback is the end')
    parser.add_argument('--trace', action='store_true', help='tell what each flush changes')
    parser.add_argument('--keep', metavar='FOLDER', help='work there, and leave the logs')
    arguments = parser.parse_args()
    kinds = arguments.type or ['ext4']
    if not os.path.exists('/dev/fuse') or not os.path.exists('/dev/loop-control'):
        print('1..0 # SKIP there is no FUSE or no loop device')
        sys.exit(77)
    mount_privately()
    failed = 0
    directory = arguments.keep or tempfile.mkdtemp(prefix='hotpatch-power-', dir='/dev/shm')
    print('1..%d' % len(kinds), flush=True)
    try:
        pki = Pki(os.path.join(directory, 'pki'))
        for number, kind in enumerate(kinds, 1):
            folder = os.path.join(directory, kind)
            os.makedirs(folder)
            try:
                good = check(pki, kind, arguments, folder)
            except Exception:  # pylint: disable=broad-except
                good = False
                print('# ' + traceback.format_exc().rstrip().replace('\n', '\n# '))
            failed += not good
            print('%sok %d - on %s every state after a power cut is old or new' % ('' if good else 'not ', number, kind),
                  flush=True)
    finally:
        if not arguments.keep:
            shutil.rmtree(directory, ignore_errors=True)
    sys.exit(failed > 0)


if __name__ == '__main__':
    main()
