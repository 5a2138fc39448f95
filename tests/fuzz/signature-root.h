/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Made by make-corpus-bundle: TEST ONLY, the private key does not exist any more. */
static const char signature_root[] =
        "-----BEGIN CERTIFICATE-----\n"
        "MIIBdTCCARygAwIBAgIUU/dmvx/KVL6Kyl2WFDXvGxEb79owCgYIKoZIzj0EAwIw\n"
        "GTEXMBUGA1UEAwwOVEVTVCBPTkxZIHJvb3QwHhcNMjYxMTIxMDkzNTUxWhcNNDYx\n"
        "MTIxMTAzNTUxWjAZMRcwFQYDVQQDDA5URVNUIE9OTFkgcm9vdDBZMBMGByqGSM49\n"
        "AgEGCCqGSM49AwEHA0IABJMP+1nAgF0G9q7iFyVdurt5qHiOczfV791rd8Hh2qu6\n"
        "AEdgzHgaM9mA5wngvJZHpuPI80mtnmT6qSln5G5qeUyjQjBAMA8GA1UdEwEB/wQF\n"
        "MAMBAf8wDgYDVR0PAQH/BAQDAgEGMB0GA1UdDgQWBBQvl8+OwkD0juoMEAb3fm6m\n"
        "jlb4OjAKBggqhkjOPQQDAgNHADBEAiBriLirXTSlahB6kA8RFI6k1Bii32yhmd+c\n"
        "kjvV1/HFmgIgEQ53YaQOY/7qP5KDtsA0VetDvZ68amYbTj21VI1Mcq8=\n"
        "-----END CERTIFICATE-----\n";
