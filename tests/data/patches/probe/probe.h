/* SPDX-License-Identifier: GPL-2.0-only */
/* Between the two files of the probe, and a test that headers are copied. */

struct seq_file;

void probe_second_site(struct seq_file *m);
