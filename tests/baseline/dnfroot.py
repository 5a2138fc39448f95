# SPDX-License-Identifier: LGPL-2.1-or-later
"""A root of its own with dnf and rpm in it. They are programs in Python with half of /usr, so /usr is this machine's
under an overlay; the database of packages, the configuration and the repository are the root's own."""

import os
import shutil
import subprocess
import tempfile

import aptroot
from aptroot import BUILD, RUNNING, SOURCE, run, write


class Root(aptroot.Root):
    def __init__(self):  # pylint: disable=super-init-not-called
        self.path = tempfile.mkdtemp(prefix='hotpatch-dnfroot-')
        for folder in ('tmp', 'proc', 'dev', 'var/tmp', 'var/lib/rpm', 'var/cache', 'var/log', 'run/hotpatch/baseline', 'var/lib/hotpatch',
                       'boot', 'etc/dnf', 'etc/yum.repos.d', 'root', 'repo', 'mnt', 'usr', 'over/work', 'over/usr/libexec/hotpatch/baseline'):
            os.makedirs(self.at(folder))
        os.chmod(self.at('tmp'), 0o1777)
        for link in ('bin', 'sbin', 'lib', 'lib64'):
            os.symlink('usr/' + link, self.at(link))
        shutil.copy2(BUILD + '/baseline/hotpatch-baseline', self.at('over/usr/libexec/hotpatch'))
        for name in ('dnf', 'backend.sh'):
            to = self.at('over/usr/libexec/hotpatch/baseline', name)
            shutil.copy2(os.path.join(SOURCE, 'baseline/backends', name), to)
            os.chmod(to, 0o755)
        for name in ('alternatives', 'ld.so.cache', 'ssl/openssl.cnf', 'crypto-policies'):
            path = os.path.join('/etc', name)
            if os.path.isdir(path):
                shutil.copytree(path, self.at('etc', name), symlinks=True)
            elif os.path.exists(path):
                os.makedirs(os.path.dirname(self.at('etc', name)), exist_ok=True)
                shutil.copy2(path, self.at('etc', name))
        write(self.at('etc/passwd'), 'root:x:0:0:root:/root:/bin/sh\n')
        write(self.at('etc/group'), 'root:x:0:\n')
        write(self.at('etc/os-release'), 'ID=test\nVERSION_ID=1\n')
        write(self.at('etc/dnf/dnf.conf'), '[main]\ngpgcheck=0\nplugins=0\nreposdir=/etc/yum.repos.d\nzchunk=0\n')
        write(self.at('etc/yum.repos.d/test.repo'), '[test]\nname=test\nbaseurl=file:///repo\nenabled=1\nrepo_gpgcheck=1\n'
              'gpgkey=file:///etc/archive.asc\nmetadata_expire=0\n')

    def machine(self, key):
        return Machine(self, key)

    def clone(self):
        other = Root.__new__(Root)
        other.path = tempfile.mkdtemp(prefix='hotpatch-dnfroot-')
        run('cp', '-a', self.path + '/.', other.path)
        return other


SPEC = '''Name: %(name)s
Version: %(version)s
Release: 1
Summary: made for a test
License: none
AutoReqProv: no
BuildArch: x86_64
%(provides)s
%%description
made for a test
%%install
mkdir -p %%{buildroot}
cp -a %(root)s/. %%{buildroot}/
%(post)s
%%files
%(files)s
'''


class Machine(aptroot.Machine):
    # rpm takes packages of a file:// repository from where they are: nothing is fetched
    backend, fetches, follows_kernel = 'dnf', False, 'kernel-core'
    upgrade = 'dnf -q -y upgrade'
    # installonly_limit= is 3: the oldest one goes, but never the running one
    kernels_of_five = [0, 4, 5]

    def __init__(self, base, key):
        super().__init__(base, key)
        write(self.at('etc/archive.asc'), key.public)
        self.setup = ('mount -t overlay overlay -o "lowerdir=/usr,upperdir=$0/over/usr,workdir=$0/over/work" "$0/usr"; '
                      'mknod -m 666 "$0/dev/urandom" c 1 9; ')
        # what scripts need is a package as well
        self.package('base', '1', provides='Provides: /bin/sh')
        self.install('base')

    def package(self, name, version, files=(), conffiles=(), postinst='', provides=''):
        top = os.path.join(self.packages, name + '-' + version)
        for path, data in dict(files).items():
            write(os.path.join(top, 'root', path.lstrip('/')), data)
        os.makedirs(os.path.join(top, 'root'), exist_ok=True)
        listed = ['%config(noreplace) ' + f if f in conffiles else f for f in dict(files)]
        write(os.path.join(top, 'spec'), SPEC % {
            'name': name, 'version': version, 'files': '\n'.join(listed), 'provides': provides, 'root': os.path.join(top, 'root'),
            'post': '%post\n' + postinst + '\n' if postinst else ''})
        run('rpmbuild', '-bb', '--define', '_topdir ' + top, '--define', '_dbpath ' + top + '/db', '--define',
            '_binary_payload w1.gzdio', '--define', '_build_id_links none', '--define', '__os_install_post %{nil}',
            '--target', 'x86_64', os.path.join(top, 'spec'))
        for folder, _, names in os.walk(os.path.join(top, 'RPMS')):
            for n in names:
                shutil.move(os.path.join(folder, n), self.at('repo', n))

    def package_file(self, name, version):
        return self.at('repo', '%s-%s-1.x86_64.rpm' % (name, version))

    def release(self, n):
        return self.kernel_package(n)[1] + '.x86_64' if n else RUNNING

    def kernel(self, n, postinst=''):
        release = self.release(n)
        self.package('kernel-core', self.kernel_package(n)[1].removesuffix('-1'), files={'/boot/vmlinuz-' + release: 'k' * 20000, '/boot/config-' + release: 'x'},
                     provides='Provides: installonlypkg(kernel)', # as Fedora's have
                     postinst=postinst or 'echo initramfs > /boot/initrd.img-' + release)

    def kernel_package(self, n):
        """A number below 0: one that is older than the running one."""
        return 'kernel-core', '99.%d.0-1' % n if n >= 0 else '0.%d.0-1' % (9 + n)

    def kernel_names(self, n):
        return ('%s-%s' % self.kernel_package(n),)

    @property
    def kernel_changes(self):
        return [('install', 'kernel-core')]

    def v(self, version):
        return version + '-1'

    def mark_auto(self, *packages):
        self.shell('dnf -q -y mark remove ' + ' '.join(packages))

    def publish(self, key=None, sign=True):
        repo = self.at('repo')
        shutil.rmtree(repo + '/repodata', ignore_errors=True)
        run('createrepo_c', '-q', repo)
        if sign:
            (key or self.key).gpg('--detach-sign', '--armor', '-o', repo + '/repodata/repomd.xml.asc', repo + '/repodata/repomd.xml')

    refuses_older, demanded = 'would-downgrade', (('service', '3-1'),)

    def demand_older(self, name, version):
        """A package that comes needs it."""
        self.package('service', '3', files={'/usr/share/service': '3'}, provides='Requires: %s = %s' % (name, version))

    def boot(self):
        """dnf's locks are files with a number of a process, which may be another's after the start: its tmpfiles.d(5)
        takes them away."""
        with open('/usr/lib/tmpfiles.d/dnf.conf', encoding='ascii') as f:
            run('systemd-tmpfiles', '--root=' + self.root.path, '--remove', '-', stdin=f)

    def update(self):
        self.publish()
        self.shell('dnf -q -y makecache --refresh')

    def install(self, *packages):
        self.publish()
        self.shell('dnf -q -y --refresh install ' + ' '.join(packages))

    def version(self, package):
        done = subprocess.run(self.command('rpm -q --qf "%{VERSION}" ' + package), capture_output=True, text=True)
        return done.stdout if done.returncode == 0 else ''
