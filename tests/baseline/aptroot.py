# SPDX-License-Identifier: LGPL-2.1-or-later
"""A root of its own, with apt and dpkg in it: their programs, a package database, and a signed repository.

The programs are this machine's, copied with their libraries; the packages are made here and hold a few bytes.
hotpatch-baseline and its backends are the built ones, in the places where the unit finds them. Everything
runs in a chroot in a mount namespace, so small file systems can be mounted, and nothing of this machine's
own package database is ever near.
"""

import glob
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import uuid

BUILD = os.environ.get('HOTPATCH_BUILD', 'build')
SOURCE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
RUNNING = os.uname().release

PROGRAMS = '''sh apt-get apt-cache apt-config apt-mark apt-key dpkg dpkg-deb dpkg-query dpkg-split dpkg-trigger
    start-stop-daemon ldconfig tar gzip diff find awk sed grep mktemp tr cut df du sort head tail uname sleep cat rm cp mv
    mkdir rmdir touch chmod chown ln ls basename dirname env true false id cmp dd gpgv gpgconf kill sync wc uniq
    readlink stat tee base64 xargs comm'''.split()
FOLDERS = '''/usr/lib/apt/methods /usr/lib/apt/apt-helper /usr/share/dpkg /usr/lib/locale/C.utf8 /usr/lib/dpkg'''.split()


def run(*command, **options):
    done = subprocess.run(command, check=False, capture_output=True, text=True, **options)
    assert done.returncode == 0, '%s: %s%s' % (command, done.stdout, done.stderr)
    return done


def write(path, data, mode=0o644):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, 'w' if isinstance(data, str) else 'wb') as f:
        f.write(data)
    os.chmod(path, mode)


def libraries(program):
    out = subprocess.run(['ldd', program], capture_output=True, text=True).stdout
    return re.findall(r'(/[^ ]+) \(0x', out)


class Root:
    """The file system below a folder, made once and copied for each test."""

    def __init__(self):
        self.path = tempfile.mkdtemp(prefix='hotpatch-aptroot-')
        for folder in ('tmp', 'proc', 'dev', 'var/tmp', 'run/hotpatch/baseline', 'var/lib/hotpatch', 'boot', 'etc/apt/apt.conf.d',
                       'etc/apt/trusted.gpg.d', 'etc/apt/preferences.d', 'var/lib/dpkg/info', 'var/lib/dpkg/updates', 'var/log/apt',
                       'var/lib/apt/lists/partial', 'var/cache/apt/archives/partial', 'usr/lib', 'usr/bin', 'usr/sbin', 'root', 'repo', 'mnt'):
            os.makedirs(self.at(folder))
        os.chmod(self.at('tmp'), 0o1777)
        for link in ('bin', 'sbin', 'lib'):
            os.symlink('usr/' + link, self.at(link))
        if os.path.isdir('/lib64'):
            os.mkdir(self.at('usr/lib64'))
            os.symlink('usr/lib64', self.at('lib64'))
        self.copied = set()
        for name in PROGRAMS:
            self.copy(shutil.which(name, path='/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin'))
        for path in FOLDERS:
            self.copy_tree(path)
        self.copy(BUILD + '/baseline/hotpatch-baseline', '/usr/libexec/hotpatch/hotpatch-baseline')
        for path in glob.glob(SOURCE + '/baseline/backends/*'):
            self.copy(path, '/usr/libexec/hotpatch/baseline/' + os.path.basename(path))
            os.chmod(self.at('usr/libexec/hotpatch/baseline', os.path.basename(path)), 0o755)
        write(self.at('etc/passwd'), 'root:x:0:0:root:/root:/bin/sh\n_apt:x:42:65534::/nonexistent:/bin/false\n')
        write(self.at('etc/group'), 'root:x:0:\nnogroup:x:65534:\nstaff:x:50:\nadm:x:4:\n')
        write(self.at('var/lib/dpkg/status'), '')
        write(self.at('var/lib/dpkg/available'), '')
        write(self.at('etc/apt/apt.conf.d/test'), 'APT::Sandbox::User "root";\nAPT::Install-Recommends "false";\n'
              'Acquire::Languages "none";\nDir::Log::Terminal "";\nAPT::Architecture "amd64";\n')

    def at(self, *parts):
        return os.path.join(self.path, *(p.lstrip('/') for p in parts))

    def copy(self, path, to=None):
        to = self.at(to or path)
        if to in self.copied:
            return
        self.copied.add(to)
        # /bin and /lib are links in the root; the folder of what they point to must be there
        os.makedirs(os.path.realpath(os.path.dirname(to)) if os.path.islink(to) else os.path.dirname(to), exist_ok=True)
        shutil.copy2(os.path.realpath(path), to)
        for library in libraries(path):
            self.copy(library)

    def copy_tree(self, path):
        if os.path.isfile(path):
            self.copy(path)
        for folder, _, names in os.walk(path):
            for name in names:
                self.copy(os.path.join(folder, name))

    def machine(self, key):
        return Machine(self, key)

    def clone(self):
        """The same root again, for one test; hard links would let a test write into all others."""
        other = Root.__new__(Root)
        other.path = tempfile.mkdtemp(prefix='hotpatch-aptroot-')
        run('cp', '-a', '--reflink=auto', self.path + '/.', other.path)
        return other

    def remove(self):
        shutil.rmtree(self.path, ignore_errors=True)


class Key:
    """Who signs repositories."""

    def __init__(self, folder, name='archive'):
        self.home = os.path.join(folder, 'gnupg-' + name)
        os.mkdir(self.home, 0o700)
        self.gpg('--quick-generate-key', name + '@example.org', 'rsa3072', 'sign', 'never')
        self.public = run('gpg', '--homedir', self.home, '--armor', '--export').stdout

    def gpg(self, *arguments):
        run('gpg', '--homedir', self.home, '--batch', '--yes', '--pinentry-mode', 'loopback', '--passphrase', '', *arguments)

    def stop(self):
        subprocess.run(['gpgconf', '--homedir', self.home, '--kill', 'all'], check=False, capture_output=True)


class Machine:
    """One root with its repository, and runs of the runner in it."""

    def __init__(self, base, key):
        self.root = base.clone()
        self.key = key
        self.packages = tempfile.mkdtemp(prefix='hotpatch-debs-')
        write(self.root.at('etc/apt/trusted.gpg.d/archive.asc'), key.public)
        write(self.root.at('etc/apt/sources.list'), 'deb copy:/repo ./\n')
        self.setup = ''

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for pid in self.inside():
            os.kill(pid, signal.SIGKILL)
        self.root.remove()
        shutil.rmtree(self.packages)

    def at(self, *parts):
        return self.root.at(*parts)

    def read(self, path):
        with open(self.at(path), encoding='utf-8') as f:
            return f.read()

    def exists(self, path):
        return os.path.exists(self.at(path))

    def package(self, name, version, files=(), scripts=(), conffiles=(), postinst='', depends='', recommends='', size=40, where='repo'):
        """Make a package and put it into the repository."""
        tree = os.path.join(self.packages, name + '_' + version)
        for path, data in dict(files).items():
            write(os.path.join(tree, path.lstrip('/')), data)
        scripts = dict(scripts)
        if postinst:
            scripts['postinst'] = postinst
        for script, text in scripts.items():
            write(os.path.join(tree, 'DEBIAN', script), '#!/bin/sh\nset -e\n' + text + '\n', 0o755)
        if conffiles:
            write(os.path.join(tree, 'DEBIAN/conffiles'), ''.join(c + '\n' for c in conffiles))
        write(os.path.join(tree, 'DEBIAN/control'),
              'Package: %s\nVersion: %s\nArchitecture: amd64\nMaintainer: Test <test@example.org>\nInstalled-Size: %d\n'
              '%sDescription: made for a test\n' % (name, version, size, 'Depends: %s\n' % depends if depends else '') +
              ('Recommends: %s\n' % recommends if recommends else ''))
        run('dpkg-deb', '-Zgzip', '--root-owner-group', '-b', tree, self.package_file(name, version, where))

    def package_file(self, name, version, where='repo'):
        return os.path.join(self.at(where), '%s_%s_amd64.deb' % (name, version))

    # The kernel: 0 is the running one, and each number after it a newer one. Its package makes the initramfs when
    # it is configured; the metapackage brings it.
    backend, fetches, follows_kernel = 'apt', True, 'linux-image-test'
    upgrade = 'apt-get -qq -y install'
    kernels_of_five = [0, 2, 3, 4, 5] # number 1 was never the newest

    def release(self, n):
        return '99.%d.0-test' % n if n else RUNNING

    def kernel(self, n, postinst=''):
        release = self.release(n)
        self.package(*self.kernel_package(n), files={'/boot/vmlinuz-' + release: 'k' * 20000, '/boot/config-' + release: 'x'},
                     postinst=postinst or 'echo initramfs > /boot/initrd.img-' + release)
        self.package('linux-image-test', str(n + 1), depends='linux-image-' + release)

    def kernel_package(self, n):
        return 'linux-image-' + self.release(n), str(n + 1)

    def kernel_names(self, n):
        """The packages of the newest kernel and what brings it."""
        return 'linux-image-test', self.kernel_package(n)[0]

    @property
    def kernel_changes(self):
        return [('install', 'linux-image-' + self.release(1)), ('upgrade', 'linux-image-test')]

    def v(self, version):
        return version

    def mark_auto(self, *packages):
        self.shell('apt-mark auto ' + ' '.join(packages))

    def publish(self, key=None, sign=True):
        repo = self.at('repo')
        packages = run('dpkg-scanpackages', '-m', '.', cwd=repo).stdout
        write(os.path.join(repo, 'Packages'), packages)
        sha = run('sha256sum', 'Packages', cwd=repo).stdout.split()[0]
        write(os.path.join(repo, 'Release'), 'Suite: test\nCodename: test\nOrigin: Test\nDate: Sat, 01 Nov 2025 00:00:00 UTC\n'
              'Architectures: amd64\nSHA256:\n %s %d Packages\n' % (sha, len(packages.encode())))
        for name in ('InRelease', 'Release.gpg'):
            if os.path.exists(os.path.join(repo, name)):
                os.remove(os.path.join(repo, name))
        if sign:
            (key or self.key).gpg('--clearsign', '--digest-algo', 'SHA256', '-o', repo + '/InRelease', repo + '/Release')

    def command(self, script):
        inner = 'set -e; mount -t proc proc "$0/proc"; mount -t tmpfs tmpfs "$0/dev"; mknod -m 666 "$0/dev/null" c 1 3; %s' % self.setup
        return ['unshare', '--mount', '--propagation', 'private', 'sh', '-c', inner + ' exec chroot "$0" sh -c "$1"',
                self.root.path, script]

    def shell(self, script, check=True):
        done = subprocess.run(self.command(script), capture_output=True, text=True, env={'PATH': os.environ['PATH'], 'LC_ALL': 'C.UTF-8'})
        assert not check or done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def inside(self):
        """The processes in this root."""
        found = []
        for pid in filter(str.isdigit, os.listdir('/proc')):
            try:
                if os.readlink('/proc/%s/root' % pid) == self.root.path:
                    found.append(int(pid))
            except OSError:
                pass
        return found

    # A repository of a higher priority than what is installed: apt_preferences(5)
    refuses_older, demanded = 'would-downgrade', ()

    def demand_older(self, name, version):
        """The next baseline wants an older version of what is there."""
        write(self.at('etc/apt/preferences.d/older'), 'Package: %s\nPin: version %s\nPin-Priority: 1001\n' % (name, version))

    def boot(self):
        """What a start of the machine does before anybody else comes: nothing here, locks end with their processes."""

    def update(self):
        """Publish, and let the machine know."""
        self.publish()
        self.shell('apt-get -qq update')

    def install(self, *packages):
        """What was there before: installed from the repository."""
        self.publish()
        self.shell('apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq -y install ' + ' '.join(packages))

    def request(self, verb, packages=(), kernel=None, backend=None, lock_timeout=0):
        request = {'protocol': 1, 'verb': verb, 'id': uuid.uuid4().hex, 'backend': backend or self.backend, 'baseline': '2026.10',
                   'packages': [{'name': n, 'version': v} for n, v in packages], 'lock_timeout': lock_timeout}
        if kernel:
            request['kernel'] = kernel
        write(self.at('run/hotpatch/baseline/request'), json.dumps(request))
        return request

    def result(self, verb):
        with open(self.at('var/lib/hotpatch/baseline', 'install' if verb == 'mend' else verb), encoding='utf-8') as f:
            return json.load(f)

    def start(self, verb, packages=(), **options):
        """Begin a run; the process is its runner."""
        self.asked = self.request(verb, packages, **options)
        return subprocess.Popen(self.command('exec /usr/libexec/hotpatch/hotpatch-baseline'), stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT, text=True, env={'PATH': os.environ['PATH']})

    def run(self, verb, packages=(), **options):
        """A whole run. Return: the result."""
        process = self.start(verb, packages, **options)
        self.said = process.communicate(timeout=180)[0]
        result = self.result(verb)
        self.status = process.returncode
        assert result['id'] == self.asked['id'] or result['outcome'] != 'done', self.said
        return result

    def done(self, verb, packages=(), **options):
        result = self.run(verb, packages, **options)
        assert result['outcome'] == 'done' and self.status == 0, (result, self.said)
        return result

    def fails(self, cause, verb, packages=(), **options):
        result = self.run(verb, packages, **options)
        assert result['outcome'] == 'failed' and result['cause'] == cause and self.status != 0, (result, self.said)
        return result

    def version(self, package):
        return self.shell('dpkg-query -W -f="\\${Version}" %s 2>/dev/null || :' % package)
