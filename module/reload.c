// SPDX-License-Identifier: GPL-2.0-only
/*
 * Let a patched module be loaded again, on kernels before 6.3.
 *
 * When a module is loaded for which a patch has klp relocations, the kernel
 * writes them into the patch; on x86 it first checks that nothing was written
 * there before. From 6.3 on it clears them when that module goes. Before, it
 * does not, finds its own values the next time ("Skipping invalid relocation
 * target") and refuses to load the module: a driver that cannot come back. So
 * here the patch clears them itself, in the same way as newer kernels do and at
 * the same moment, when nothing can call the replacements of that object any
 * more.
 *
 * Linked into patches that have such relocations only; it takes three symbols
 * that the kernel does not export, the ones that livepatch itself writes with.
 */

#define pr_fmt(fmt) "hotpatch: " KBUILD_MODNAME ": " fmt

#include "runtime.h"

#ifdef HOTPATCH_CLEARS_RELOCATIONS

#include <linux/elf.h>
#include <linux/memory.h>
#include <linux/mutex.h>
#include <linux/string.h>

#include <asm/text-patching.h>

/* Bytes that a relocation writes: arch/x86/kernel/module.c. */
static size_t relocation_size(unsigned int type)
{
	switch (type) {
	case R_X86_64_64:
	case R_X86_64_PC64:
		return 8;
	case R_X86_64_32:
	case R_X86_64_32S:
	case R_X86_64_PC32:
	case R_X86_64_PLT32:
		return 4;
	default:
		return 0;
	}
}

static void clear_section(const Elf_Shdr *sechdrs, const Elf_Shdr *section)
{
	static const u8 zeros[8];
	const Elf64_Rela *rela = (const void *)section->sh_addr;
	size_t n = section->sh_size / sizeof(*rela);
	u8 *target = (u8 *)sechdrs[section->sh_info].sh_addr;
	size_t size;

	for (; n > 0; n--, rela++) {
		size = relocation_size(ELF64_R_TYPE(rela->r_info));
		if (size)
			text_poke(target + rela->r_offset, zeros, size);
	}
}

/* Is it ".klp.rela.OBJECT.…"? */
static bool is_of_object(const char *section, const char *object)
{
	static const char prefix[] = ".klp.rela.";
	size_t len = strlen(object);

	if (strncmp(section, prefix, sizeof(prefix) - 1))
		return false;
	section += sizeof(prefix) - 1;
	return !strncmp(section, object, len) && section[len] == '.';
}

/**
 * hotpatch_clear_relocations() - forget the addresses in a module that goes
 * @object: that module; its functions are the original ones again
 *
 * Does nothing while the module stays, as when the patch is disabled: a task
 * that was forced over may still be in a replacement.
 *
 * Context: post_unpatch callback; klp_mutex is held, as it is when livepatch
 * writes the relocations.
 */
void hotpatch_clear_relocations(struct klp_object *object)
{
	const struct klp_modinfo *info = THIS_MODULE->klp_info;
	const Elf_Shdr *section;
	unsigned int i;

	if (!object->mod || object->mod->state == MODULE_STATE_LIVE)
		return;
	mutex_lock(&text_mutex);
	for (i = 1; i < info->hdr.e_shnum; i++) {
		section = info->sechdrs + i;
		if (section->sh_type == SHT_RELA &&
		    (section->sh_flags & SHF_RELA_LIVEPATCH) &&
		    is_of_object(info->secstrings + section->sh_name,
				 object->name))
			clear_section(info->sechdrs, section);
	}
	text_poke_sync();
	mutex_unlock(&text_mutex);
}

#endif
