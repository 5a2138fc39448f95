#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What doc/transcript.txt shows is what hotpatchctl shows."""

import os
import subprocess

from hotpatchtest import BUILD, SOURCE, main


def test_the_transcript_is_not_stale(pki):
    done = subprocess.run([os.path.join(SOURCE, 'tools/transcript'), '--check'], capture_output=True, text=True, check=False,
                          env={**os.environ, 'HOTPATCH_BUILD': os.path.abspath(BUILD)})
    assert done.returncode == 0, done.stdout + done.stderr


if __name__ == '__main__':
    main([v for k, v in list(globals().items()) if k.startswith('test_')])
