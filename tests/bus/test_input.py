#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Bundles and descriptors that are not as they should be; each is refused by name, nothing stays."""

import os
import shutil
import socket
import threading
import time

import dbus
from hotpatchtest import (ERROR, NO_OPTIONS, World, main, read, refused, wait_for, write)

METHODS = ('Stage', 'ApplyBundle', 'PlanBundle', 'VerifyBundle')


def nothing_happened(w):
    assert w.root.patches() == {}, w.root.patches()
    assert w.machine.loaded() == [] and w.machine.leftovers() == [], w.machine.leftovers()


def refuse_fd(w, fd, *names):
    for method in METHODS:
        with refused(*names):
            w.root.call(method, dbus.types.UnixFd(fd), NO_OPTIONS)


def test_descriptors_that_are_no_readable_files(pki):
    with World(pki).start() as w:
        path = w.machine.bundle('hp-one')
        pipe, sockets = os.pipe(), socket.socketpair()
        fds = [os.open(path, os.O_PATH), os.open(path, os.O_WRONLY), os.open(w.machine.root, os.O_RDONLY),
               os.open('/dev/zero', os.O_RDONLY), pipe[0], sockets[0].fileno()]
        for fd in fds:
            refuse_fd(w, fd, 'BundleUnreadable')
        for fd in fds[:4] + list(pipe):
            os.close(fd)
        nothing_happened(w)


def test_sizes_at_the_limit(pki):
    with World(pki).start() as w:
        path = w.machine.path('fake/sparse')
        for size, name in ((64 << 20, 'NotABundle'), ((64 << 20) + 1, 'BundleTooLarge'),
                           ((1 << 31) - 1, 'BundleTooLarge'), ((1 << 31) + 1, 'BundleTooLarge'),
                           ((1 << 32) + 512, 'BundleTooLarge'), (0, 'NotABundle')):
            with open(path, 'wb') as f:
                f.truncate(size)
            began = time.monotonic()
            with refused(name, 'BundleTruncated'):
                w.root.apply_file(path, 'VerifyBundle')
            if name == 'BundleTooLarge':
                assert time.monotonic() - began < 1, 'it was read before it was refused'
        nothing_happened(w)


def test_damaged_bundles(pki):
    with World(pki).start() as w:
        path = w.machine.bundle('hp-one')
        good = read(path)
        for data, names in (
                (good[:-1], ('BundleTruncated',)), (good[:700], ('BundleTruncated',)),
                (good + bytes(512), ('BundleTrailingData',)),
                (good.replace(b'Title of', b'title of', 1), ('SignatureInvalid',)),
                (good.replace(b'livepatch=Y', b'livepatch=N', 1), ('PayloadMismatch',)),
                (b'', ('NotABundle', 'BundleTruncated'))):
            write(path, data)
            with refused(*names):
                w.root.apply_file(path, 'VerifyBundle')
            result = w.root.finish(w.root.apply_file(path))
            assert result[0] == 'failed' and result[1] in names, (names, result)
            with refused(*names):
                w.root.apply_file(path, 'Stage')
            nothing_happened(w)


def test_a_signer_nobody_knows(pki):
    with World(pki).start() as w:
        os.unlink(w.machine.path('etc/hotpatch/trust.d/test.pem'))
        path = w.machine.bundle('hp-one')
        with refused('NoTrustAnchors'):
            w.root.apply_file(path, 'VerifyBundle')
        write(w.machine.path('etc/hotpatch/trust.d/other.pem'), read(pki.path('leaf.pem')))
        with refused('SignerNotTrusted'):
            w.root.apply_file(path, 'VerifyBundle')
        nothing_happened(w)


def test_a_file_in_the_spool_under_another_name(pki):
    with World(pki).start() as w:
        spool = w.machine.stage('hp-one')
        os.rename(spool, os.path.join(os.path.dirname(spool), 'hp-two.hpb'))
        result = w.root.finish(w.root.apply('hp-two'))
        assert result[:2] == ('failed', 'NoSuchBundle'), result
        assert w.machine.loaded() == []


def test_a_symbolic_link_in_the_spool(pki):
    with World(pki).start() as w:
        spool = w.machine.stage('hp-one')
        os.rename(spool, w.machine.path('fake/elsewhere'))
        os.symlink(w.machine.path('fake/elsewhere'), spool)
        with refused('NoSuchBundle', 'BundleUnreadable'):
            w.root.apply('hp-one')
        assert w.machine.loaded() == []


def test_things_in_the_spool_that_are_no_bundles(pki):
    """None of them holds up the service, and each has a refusal."""
    with World(pki).start() as w:
        spool = w.machine.stage('hp-one')
        folder = os.path.dirname(spool)
        os.mkfifo(os.path.join(folder, 'hp-fifo.hpb'))
        os.mkdir(os.path.join(folder, 'hp-folder.hpb'))
        os.symlink('/dev/zero', os.path.join(folder, 'hp-link.hpb'))
        os.mknod(os.path.join(folder, 'hp-device.hpb'), 0o020600, os.makedev(1, 5))
        bound = socket.socket(socket.AF_UNIX)
        bound.bind(os.path.join(folder, 'hp-socket.hpb'))
        write(os.path.join(folder, 'hp-empty.hpb'), b'')
        write(os.path.join(folder, 'a\033[2J.hpb'), b'')
        with open(os.path.join(folder, 'hp-holes.hpb'), 'wb') as f:
            f.truncate(1 << 40)
        began = time.monotonic()
        assert sorted(w.root.patches()) == ['hp-empty', 'hp-holes', 'hp-one'], w.root.patches()
        for name, error in (('fifo', 'NoSuchBundle'), ('folder', 'NoSuchBundle'), ('link', 'NoSuchBundle'),
                            ('device', 'NoSuchBundle'), ('socket', 'BundleUnreadable'), ('empty', 'NotABundle'),
                            ('holes', 'BundleTooLarge')):
            with refused(error):
                w.root.call('Plan', ['hp-' + name], NO_OPTIONS)
        assert time.monotonic() - began < 10, 'something waited'
        bound.close()


def test_things_among_the_trust_that_are_no_certificates(pki):
    with World(pki).start() as w:
        path, trust = w.machine.bundle('hp-one'), w.machine.path('etc/hotpatch/trust.d/a.pem')
        for make in (os.mkfifo, os.mkdir, lambda p: os.symlink('/dev/zero', p),
                     lambda p: os.mknod(p, 0o020600, os.makedev(1, 5)), lambda p: write(p, b'no certificate')):
            make(trust)
            began = time.monotonic()
            with refused('TrustStoreInvalid'):
                w.root.apply_file(path, 'VerifyBundle')
            assert time.monotonic() - began < 10, 'it waited'
            if os.path.isdir(trust):
                os.rmdir(trust)
            else:
                os.unlink(trust)
        w.root.apply_file(path, 'VerifyBundle')


def test_a_bundle_is_rewritten_while_it_is_read(pki):
    """Either the copy is good and exactly that is loaded, or it is refused by name."""
    with World(pki).start() as w:
        path = w.machine.bundle('hp-one', padding=4 << 20)
        good = read(path)
        stop = threading.Event()

        def flip():
            fd = os.open(path, os.O_WRONLY)
            step = 0
            while not stop.is_set():
                offset = (step * 7919) % len(good)
                os.pwrite(fd, bytes([good[offset] ^ 1]), offset)
                os.pwrite(fd, good[offset:offset + 1], offset)
                step += 1
            os.close(fd)

        thread = threading.Thread(target=flip)
        thread.start()
        try:
            seen = set()
            for _ in range(12):
                result = w.root.finish(w.root.apply_file(path))
                seen.add(result[1] or 'done')
                if result[0] == 'done':
                    assert read(admitted(w)) == good, 'something else than what was signed was admitted'
                    assert w.root.finish(w.root.remove('hp-one'))[0] == 'done'
                else:
                    assert result[1] and not result[1].startswith('System.Error'), result
        finally:
            stop.set()
            thread.join()
        print('# results: ' + ' '.join(sorted(seen)))
        nothing_happened(w)


def admitted(w):
    directory = w.machine.path('var/lib/hotpatch/admitted')
    (name,) = [n for n in os.listdir(directory) if n.endswith('.hpb')]
    return os.path.join(directory, name)


def test_the_bundle_is_replaced_in_the_spool_between_stage_and_apply(pki):
    with World(pki).start() as w:
        w.machine.stage('hp-one')
        w.machine.stage('hp-two', functions=(('vmlinux', 'hp_other'),))
        shutil.copy(w.machine.path('var/lib/hotpatch/spool/hp-two.hpb'),
                    w.machine.path('var/lib/hotpatch/spool/hp-one.hpb'))
        result = w.root.finish(w.root.apply('hp-one'))
        assert result[:2] == ('failed', 'NoSuchBundle'), result
        assert w.machine.loaded() == []


def test_queries_are_limited_and_root_has_a_place(pki):
    with World(pki).start() as w:
        w.machine.stage('hp-big', padding=40 << 20)
        w.machine.stage('hp-one', functions=(('vmlinux', 'hp_other'),))
        c = w.client(65534)
        calls = [c.begin('Plan', ['hp-big'], NO_OPTIONS) for _ in range(6)]
        root = w.root.begin('Plan', ['hp-one'], NO_OPTIONS)
        root.result()
        wait_for('all answers', lambda: all(x.done for x in calls))
        errors = [x.error.get_dbus_name() for x in calls if x.error]
        assert errors == ['org.freedesktop.DBus.Error.LimitsExceeded'] * 3, errors


def test_no_descriptor_leaks(pki):
    with World(pki).start() as w:
        path = w.machine.bundle('hp-one')
        bad = w.machine.path('fake/bad')
        write(bad, b'bad')
        w.machine.stage('hp-two', functions=(('vmlinux', 'hp_other'),))

        def round_of_calls():
            w.root.apply_file(path, 'VerifyBundle')
            w.root.apply_file(path, 'PlanBundle')
            w.root.apply_file(path, 'Stage')
            with refused('NotABundle', 'BundleTruncated'):
                w.root.apply_file(bad, 'VerifyBundle')
            w.root.finish(w.root.apply('hp-two'))
            w.root.finish(w.root.remove('hp-two'))
            w.root.patches()
            w.root.call('Describe', 'hp-one')
        round_of_calls()
        before = w.daemon.fds()
        for _ in range(25):
            round_of_calls()
        wait_for('the same number of descriptors', lambda: w.daemon.fds() == before, 5)


main([f for n, f in list(globals().items()) if n.startswith('test_')])
