# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
#
# The guest's side of lib-fleet.sh: an ordinary server with sshd, on which 'user' may become root with sudo. Run at each
# boot, with the name of the machine.
set -eu
name=$1
folder=/run/fleet

hostname "$name"
grep -q "$name" /etc/hosts || echo "127.0.0.1 $name" >>/etc/hosts
install -d -m 700 -o user -g user /home/user/.ssh
install -m 600 -o user -g user $folder/key.pub /home/user/.ssh/authorized_keys
install -m 440 /dev/stdin /etc/sudoers.d/fleet <<<'user ALL=(ALL) NOPASSWD: ALL'
install -m 600 $folder/host.key /etc/ssh/fleet.key
printf 'HostKey /etc/ssh/fleet.key\nPasswordAuthentication no\nUseDNS no\n' >/etc/ssh/sshd_config.d/fleet.conf
systemctl restart ssh.service

# What this machine is there for: one that trips over patches that cannot stand it.
if [[ -e $folder/workload ]]; then
        cp /bin/cat "/usr/local/bin/$(<$folder/workload)"
        systemd-run --quiet --collect --unit=workload sh -c "while :; do $(<$folder/workload) /proc/version >/dev/null; sleep 2; done"
fi
touch /run/fleet-up
until [[ -e /run/fleet-end ]]; do
        sleep 1
done
journalctl -b -q -o short-monotonic --no-hostname -u hotpatchd -u ssh -n 150 --no-pager
