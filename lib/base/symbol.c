/* SPDX-License-Identifier: MIT */
/*
 * The name of a function, or the place of it.
 *
 * The dynamic linker knows the names that are exported. Asking it for one takes the lock under
 * which dlopen and dlclose run the constructors and destructors of others; a destructor may be
 * waiting for who asks. The list of modules has a lock of its own, which nobody holds for long.
 */
#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "symbol.h"

struct place {
	uintptr_t address;
	char *to;
	size_t size;
};

/* Counted as addr2line counts: as the module's own headers do, not from where it was loaded. */
static int look_into(struct dl_phdr_info *module, size_t size, void *arg)
{
	struct place *place = arg;
	uintptr_t offset = place->address - module->dlpi_addr;
	/* the program itself has no name here */
	const char *name = *module->dlpi_name ? module->dlpi_name : program_invocation_short_name;
	const char *slash = strrchr(name, '/');

	for (size_t i = 0; i < module->dlpi_phnum; i++) {
		const ElfW(Phdr) *segment = &module->dlpi_phdr[i];

		if (segment->p_type != PT_LOAD || offset - segment->p_vaddr >= segment->p_memsz)
			continue;
		snprintf(place->to, place->size, "%s+0x%jx", slash ? slash + 1 : name,
			 (uintmax_t)offset);
		return 1;
	}
	return 0;
}

void tern__symbol_place(const void *function, char *to, size_t size)
{
	struct place place = {(uintptr_t)function, to, size};

	if (!dl_iterate_phdr(look_into, &place))
		snprintf(to, size, "0x%jx", (uintmax_t)place.address);
}

void tern__symbol_name(const void *function, char *to, size_t size)
{
	Dl_info info;

	/* it names the nearest one that it knows; a static function has another before it */
	if (dladdr(function, &info) && info.dli_sname && info.dli_saddr == function)
		snprintf(to, size, "%s", info.dli_sname);
	else
		tern__symbol_place(function, to, size);
}

const char *tern__symbols_find(struct tern__symbols *s, const void *function)
{
	/* a large library's symbols take the loader a millisecond to search */
	size_t i = ((uintptr_t)function >> 4) % (sizeof(s->known) / sizeof(s->known[0]));

	if (s->known[i].function != function) {
		tern__symbol_name(function, s->known[i].name, sizeof(s->known[i].name));
		s->known[i].function = function;
	}
	return s->known[i].name;
}
