#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Two machines: what hotpatchd writes on one arrives on the other with all its fields, by systemd's own units, over TLS with
# certificates, as doc/siem.md has it; also what was written while the collector was away, once. The collector of Debian 12
# is built without GnuTLS and checks no sender's certificate, so that is not tested: it takes records of everybody.
#
# The machines: 'one' has the patch, 'two' collects. One reaches the other as 10.0.2.2, through a port of this machine.
# shellcheck disable=SC2154 # variables of lib-fleet.sh
set -uo pipefail

# shellcheck source=lib-fleet.sh
. "$(dirname "$(readlink -f "$0")")/lib-fleet.sh"

kernel=6.1.0-50-cloud-amd64
port=$(free_port)
# shellcheck disable=SC2034 # free_port reads it
fleet_port[collector]=$port
applied=ff2519a772ec483eaa691056a43bb381

# certificate NAME WORDS: NAME.key and NAME.pem in the guests' folder, from an authority made for this
certificate() {
        openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$1" -keyout "$fleet/guest/$1.key" \
                -out "$fleet/$1.csr"
        openssl x509 -req -in "$fleet/$1.csr" -CA "$fleet/guest/authority.pem" -CAkey "$fleet/authority.key" -days 30 \
                -extfile <(printf '%s\n' "$2") -out "$fleet/guest/$1.pem"
}

prepare() {
        need_packages openssl
        use_author_tools
        # shellcheck disable=SC2034 # for build_bundle
        bundle_options=(--fix CVE-2026-0001)
        hotpatchctl --quiet key generate "$fleet/keys"
        build_bundle "$fleet/guest/version.hpb" "$fleet/keys" "$top/module/examples/version-line" $kernel
        cp "$fleet/keys/root.pem" "$fleet/keys/revocation.crl" "$fleet/guest/"
        openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj '/CN=authority' -days 30 \
                -keyout "$fleet/authority.key" -out "$fleet/guest/authority.pem"
        openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj '/CN=stranger' -days 30 \
                -keyout "$fleet/stranger.key" -out "$fleet/guest/stranger.pem"
        certificate collector 'subjectAltName=IP:10.0.2.2'
        certificate sender 'extendedKeyUsage=clientAuth'
        printf '[Remote]\nServerKeyFile=/etc/test-tls/collector.key\nServerCertificateFile=/etc/test-tls/collector.pem\n%s\n' \
                TrustedCertificateFile=/etc/test-tls/authority.pem >"$fleet/guest/journal-remote.conf"
        printf '[Upload]\nURL=https://10.0.2.2:%s\nServerKeyFile=/etc/test-tls/sender.key\n%s\n%s\n' "$port" \
                ServerCertificateFile=/etc/test-tls/sender.pem TrustedCertificateFile=/etc/test-tls/authority.pem \
                >"$fleet/guest/journal-upload.conf"
        # What an administrator does on each, with WHO and who may read the key.
        cat >"$fleet/guest/tls.sh" <<'TLS'
set -eu
install -d /etc/test-tls
install -m 644 /run/fleet/authority.pem "/run/fleet/$1.pem" /etc/test-tls/
install -m 640 -g "$2" "/run/fleet/$1.key" /etc/test-tls/
TLS
}

machines_come_up() {
        fleet_start one $kernel --network
        fleet_start two $kernel --forward "$port:19532"
        fleet_wait 900 one two
}

# records: of applied patches, as the collector has them, one a line, without what counts places in a file
records() {
        on two journalctl -D /var/log/journal/remote -q -o json --all _SYSTEMD_UNIT=hotpatchd.service MESSAGE_ID=$applied |
                jq -cS 'with_entries(select(.key | startswith("__") | not))'
}

# arrived COUNT: so many are there within two minutes
arrived() {
        local end=$((SECONDS + 120))

        until (($(records | wc -l) == $1)); do
                ((SECONDS < end)) || { records; on one journalctl -b -q -n 20 -u systemd-journal-upload; return 1; }
                sleep 2
        done
}

the_units_begin() {
        on two sh /run/fleet/tls.sh collector systemd-journal-remote
        on two cp /run/fleet/journal-remote.conf /etc/systemd/
        on two systemctl start systemd-journal-remote.socket
        on one sh /run/fleet/tls.sh sender systemd-journal
        on one cp /run/fleet/journal-upload.conf /etc/systemd/
        on one systemctl start systemd-journal-upload.service
}

a_record_arrives() {
        on one cp /run/fleet/root.pem /run/fleet/revocation.crl /etc/hotpatch/trust.d/
        on one hotpatchctl apply /run/fleet/version.hpb
        arrived 1
        records >"$fleet/there"
        on one journalctl -q -o json --all _SYSTEMD_UNIT=hotpatchd.service MESSAGE_ID=$applied |
                jq -cS 'with_entries(select(.key | startswith("__") | not))' >"$fleet/here"
        diff "$fleet/here" "$fleet/there"
        jq -e '._HOSTNAME == "one" and .HOTPATCH_CVE == ["EXAMPLE-1", "CVE-2026-0001"] and .HOTPATCH_PATCH == "hp-example-version-line"' \
                "$fleet/there"
        echo "note: $(jq length "$fleet/there") fields of one record"
}

the_collector_was_away() {
        on two systemctl stop systemd-journal-remote.socket systemd-journal-remote.service
        on one hotpatchctl remove hp-example-version-line
        on one hotpatchctl apply /run/fleet/version.hpb
        on two systemctl start systemd-journal-remote.socket
        # By itself it is tried again or not, as its version has it; nothing is lost and nothing comes twice.
        on one systemctl restart systemd-journal-upload.service
        arrived 2
}

a_stranger_gets_nothing() {
        on one cp /run/fleet/stranger.pem /etc/test-tls/authority.pem
        on one systemctl restart systemd-journal-upload.service || :
        on one hotpatchctl remove hp-example-version-line
        on one hotpatchctl apply /run/fleet/version.hpb
        sleep 15
        (($(records | wc -l) == 2))
        on one journalctl -b -q -o cat -u systemd-journal-upload | grep -i certificate
        on one cp /run/fleet/authority.pem /etc/test-tls/authority.pem
        on one systemctl restart systemd-journal-upload.service
        arrived 3
}

fleet_open
fleet_prepare
check_here "two machines come up" machines_come_up
((failed == 0)) || fleet_done one two
check "the collector and the sender begin" the_units_begin
check "a record arrives with all its fields" a_record_arrives
check "what was written while the collector was away arrives, once" the_collector_was_away
check "a collector that nobody vouches for gets nothing" a_stranger_gets_nothing
check_here "their kernels have nothing to complain of" fleet_end one two
fleet_done one two
