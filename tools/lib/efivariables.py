# SPDX-License-Identifier: LGPL-2.1-or-later
"""Enrol Secure Boot keys in an empty variable store of OVMF, as the firmware itself would keep them.

    python3 tools/lib/efivariables.py EMPTY.fd OUT.fd NAME=CERTIFICATE.der…

NAME is PK, KEK, db or MokList; one that comes again gets another certificate. With a PK in its store the firmware
leaves setup mode, and Secure Boot is on from then. MokList is the list of shim's, not of the firmware.

The store is what a flash chip keeps: a volume header, a store header, and one record behind the other (edk2:
MdeModulePkg/Include/Guid/VariableFormat.h). It is written here, and not by the firmware from a guest, since that
would take a boot more; that the firmware takes it shows in the guest.
"""

import struct
import sys
import uuid

GLOBAL = uuid.UUID('8be4df61-93ca-11d2-aa0d-00e098032b8c')    # UEFI specification 2.10, 3.3
SECURITY = uuid.UUID('d719b2cb-3d3a-4596-a3bc-dad00e67656f')  # the same, 32.4.1
SHIM = uuid.UUID('605dab50-e046-4300-abb6-3dd810dd8b23')      # shim, MokVars.txt
X509 = uuid.UUID('a5c059a1-94e4-4aa7-87b5-ab155c2bf072')      # EFI_CERT_X509_GUID, 32.4.1
OWNER = uuid.UUID('9b5b0d7e-6f0a-4b52-8a36-0a5d4f1f7c11')     # ours: who has put a certificate there
STORE = uuid.UUID('aaf32c78-947b-439a-a180-2e144ec37792')     # gEfiAuthenticatedVariableGuid

KEPT, BOOT, RUNTIME, SIGNED = 1, 2, 4, 0x20  # attributes, 8.2
# shim does not believe a list that can be seen, and so was perhaps made, after boot.
VARIABLES = {
    'PK': (GLOBAL, KEPT | BOOT | RUNTIME | SIGNED),
    'KEK': (GLOBAL, KEPT | BOOT | RUNTIME | SIGNED),
    'db': (SECURITY, KEPT | BOOT | RUNTIME | SIGNED),
    'MokList': (SHIM, KEPT | BOOT),
}

ADDED = 0x3f
STORE_HEADER = struct.Struct('<16sIBB6x')
# start, state, attributes, count, time, key index, sizes of name and data, vendor
RECORD = struct.Struct('<HBxIQ16sIII16s')
ENROLLED = struct.pack('<HBBBBBxIhBx', 2026, 1, 1, 0, 0, 0, 0, 0, 0)  # an EFI_TIME in the past


def signature_list(certificate):
    """An EFI_SIGNATURE_LIST of one X.509 certificate."""
    size = 16 + len(certificate)
    return X509.bytes_le + struct.pack('<III', 28 + size, 0, size) + OWNER.bytes_le + certificate


def record(name, data):
    vendor, attributes = VARIABLES[name]
    text = (name + '\0').encode('utf-16-le')
    time = ENROLLED if attributes & SIGNED else bytes(16)
    whole = RECORD.pack(0x55aa, ADDED, attributes, 0, time, 0, len(text), len(data), vendor.bytes_le) + text + data
    return whole + b'\xff' * (-len(whole) % 4)


def main(empty, out, *words):
    with open(empty, 'rb') as f:
        flash = bytearray(f.read())
    (start,) = struct.unpack_from('<H', flash, 48)  # EFI_FIRMWARE_VOLUME_HEADER.HeaderLength
    guid, size, *state = STORE_HEADER.unpack_from(flash, start)
    if flash[40:44] != b'_FVH' or uuid.UUID(bytes_le=guid) != STORE or state != [0x5a, 0xfe]:
        sys.exit(f'{empty} is no variable store')
    values = {}
    for word in words:
        name, _, path = word.partition('=')
        if name not in VARIABLES:
            sys.exit(f"there is no variable '{name}'")
        with open(path, 'rb') as f:
            values[name] = values.get(name, b'') + signature_list(f.read())
    at = start + STORE_HEADER.size
    records = b''.join(record(name, data) for name, data in values.items())
    if flash[at:start + size].strip(b'\xff') or len(records) > size - STORE_HEADER.size:
        sys.exit(f'{empty} is not empty, or too small')
    flash[at:at + len(records)] = records
    with open(out, 'wb') as f:
        f.write(flash)


if __name__ == '__main__':
    main(*sys.argv[1:])
