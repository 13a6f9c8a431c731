/* SPDX-License-Identifier: MIT */
/*
 * The name of a function, or the place of it: what people need to find it in their sources.
 *
 * The dynamic linker knows the names that are exported. Asking it for one takes the lock under
 * which dlopen and dlclose run the constructors and destructors of others, so the watchdog must do
 * with the place: a destructor may be waiting for it to end. The list of modules has a lock of its
 * own, which nobody holds for long.
 */
#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <stdio.h>
#include <string.h>

#include "pool.h"

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

void tern__symbol_place(tern_work_fn *fn, char *to, size_t size)
{
	struct place place = {(uintptr_t)fn, to, size};

	if (!dl_iterate_phdr(look_into, &place))
		snprintf(to, size, "0x%jx", (uintmax_t)place.address);
}

void tern__symbol_name(tern_work_fn *fn, char *to, size_t size)
{
	void *address = (void *)(uintptr_t)fn;
	Dl_info info;

	/* it names the nearest one that it knows; a static function has another before it */
	if (dladdr(address, &info) && info.dli_sname && info.dli_saddr == address)
		snprintf(to, size, "%s", info.dli_sname);
	else
		tern__symbol_place(fn, to, size);
}
