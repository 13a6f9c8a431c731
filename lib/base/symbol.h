/* SPDX-License-Identifier: MIT */
/* The name of a function, or the place of it: what people need to find it in their sources. */
#ifndef TERN__SYMBOL_H
#define TERN__SYMBOL_H

#include <stddef.h>

#define TERN__SYMBOL_ROOM 96

/*
 * Writes where the function is in its file, "prog+0x1234", for addr2line(1); what has no room is
 * cut off. Needs no lock that somebody may hold for long.
 */
void tern__symbol_place(const void *function, char *to, size_t size);

/* The function's name, if the loader knows it, or else its place. Takes the loader's lock. */
void tern__symbol_name(const void *function, char *to, size_t size);

/* Those asked for lately. Zeroed at first; one thread's. */
struct tern__symbols {
	struct {
		const void *function;
		char name[TERN__SYMBOL_ROOM];
	} known[256];
};

const char *tern__symbols_find(struct tern__symbols *symbols, const void *function);

#endif
