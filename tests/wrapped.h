/* SPDX-License-Identifier: MIT */
/* Calls that a test takes the place of: see the list `wrapped` in meson.build. */
#ifndef TERN_TESTS_WRAPPED_H
#define TERN_TESTS_WRAPPED_H

/* The linker sends calls of f to __wrap_f, and __real_f is f. */
#define WRAPPED(type, f, ...)                                                                      \
	type __real_##f(__VA_ARGS__);                                                              \
	type __wrap_##f(__VA_ARGS__)

#endif
