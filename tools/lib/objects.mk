# SPDX-License-Identifier: LGPL-2.1-or-later
#
# What one folder of a kernel tree builds, as the kernel's own Kbuild files say it. Run by kernelobjects.py in
# the tree, with obj= the folder and auto_conf= the configuration.
src := $(obj)
srctree := .
objtree := .
srcroot := .
kbuild-dir := $(obj)
SRCARCH := x86
ARCH := x86
BITS := 64
quiet := silent_
Q := @
export

include $(auto_conf)
include scripts/Kbuild.include
-include $(firstword $(wildcard $(obj)/Kbuild) $(wildcard $(obj)/Makefile))
include scripts/Makefile.lib

$(info object $(real-obj-y) $(real-obj-m) $(lib-y))
$(info folder $(subdir-ym))

.PHONY: nothing
.DEFAULT_GOAL := nothing
nothing: ; @:
