/* SPDX-License-Identifier: MIT */
/*
 * As much of the library check as the tests use, for targets it is not to be had for: each test in
 * a process of its own, with a limit of time, and the lines that check prints.
 */
#ifndef TERN_TESTS_PORTABILITY_CHECK_H
#define TERN_TESTS_PORTABILITY_CHECK_H

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define ck__fail(...)                                                                              \
	(printf("%s:%d: ", __FILE__, __LINE__), printf(__VA_ARGS__), putchar('\n'),                \
	 fflush(stdout), _exit(EXIT_FAILURE))
#define ck_abort_msg(...)	 ck__fail(__VA_ARGS__)
#define ck_assert_msg(is, ...)	 ((is) ? (void)0 : ck__fail(__VA_ARGS__))
#define ck_assert(is)		 ck_assert_msg(is, "not so: %s", #is)
#define ck_assert_ptr_null(p)	 ck_assert((p) == NULL)
#define ck_assert_ptr_nonnull(p) ck_assert((p) != NULL)
#define ck_assert_ptr_eq(a, b)	 ck_assert((const void *)(a) == (const void *)(b))
#define ck_assert_ptr_ne(a, b)	 ck_assert((const void *)(a) != (const void *)(b))
#define ck_assert_str_eq(a, b)	 ck_assert(strcmp((a), (b)) == 0)
#define ck__compare(type, format, a, op, b)                                                        \
	do {                                                                                       \
		type ck__a = (a), ck__b = (b);                                                     \
		ck_assert_msg(ck__a op ck__b, "%s " #op " %s: %" format ", %" format, #a, #b,      \
			      ck__a, ck__b);                                                       \
	} while (0)
#define ck_assert_int_eq(a, b)	  ck__compare(intmax_t, PRIdMAX, a, ==, b)
#define ck_assert_int_ge(a, b)	  ck__compare(intmax_t, PRIdMAX, a, >=, b)
#define ck_assert_int_gt(a, b)	  ck__compare(intmax_t, PRIdMAX, a, >, b)
#define ck_assert_int_lt(a, b)	  ck__compare(intmax_t, PRIdMAX, a, <, b)
#define ck_assert_int_le(a, b)	  ck__compare(intmax_t, PRIdMAX, a, <=, b)
#define ck_assert_uint_eq(a, b)	  ck__compare(uintmax_t, PRIuMAX, a, ==, b)
#define ck_assert_uint_ge(a, b)	  ck__compare(uintmax_t, PRIuMAX, a, >=, b)
#define ck_assert_uint_gt(a, b)	  ck__compare(uintmax_t, PRIuMAX, a, >, b)
#define ck_assert_uint_le(a, b)	  ck__compare(uintmax_t, PRIuMAX, a, <=, b)
#define ck_assert_uint_lt(a, b)	  ck__compare(uintmax_t, PRIuMAX, a, <, b)
#define ck_assert_double_gt(a, b) ck__compare(double, "g", a, >, b)
#define ck_assert_double_lt(a, b) ck__compare(double, "g", a, <, b)

#define START_TEST(name) static void name(int _i)
#define END_TEST

typedef struct TCase {
	struct TCase *next;
	const char *name;
	void (*fn)(int);
	int i, signal;
	unsigned seconds;
} TCase;

typedef struct Suite {
	TCase *first, **end;
	int failed;
} Suite, SRunner;

static inline Suite *suite_create(const char *name)
{
	Suite *suite = calloc(1, sizeof(*suite));

	suite->end = &suite->first;
	return suite;
}

static inline TCase *tcase_create(const char *name)
{
	TCase *test = calloc(1, sizeof(*test));

	test->name = name;
	return test;
}

static inline void tcase_set_timeout(TCase *test, double seconds)
{
	const char *more = getenv("CK_TIMEOUT_MULTIPLIER");

	test->seconds = (unsigned)(seconds * (more ? atof(more) : 1));
}

static inline void tcase_add_loop_test_raise_signal(TCase *test, void (*fn)(int), int signal,
						    int from, int to)
{
	test->fn = fn;
	test->signal = signal;
	test->i = from;
}

#define tcase_add_loop_test(test, fn, from, to)                                                    \
	tcase_add_loop_test_raise_signal(test, fn, 0, from, to)

static inline void suite_add_tcase(Suite *suite, TCase *test)
{
	*suite->end = test;
	suite->end = &test->next;
}

static inline int ck__run(const TCase *test)
{
	pid_t child;
	int status;

	fflush(stdout);
	child = fork();
	if (!child) {
		alarm(test->seconds);
		test->fn(test->i);
		fflush(stdout);
		_exit(EXIT_SUCCESS);
	}
	if (child < 0 || waitpid(child, &status, 0) < 0)
		return -1;
	if (WIFSIGNALED(status))
		return WTERMSIG(status) == test->signal ? 0 : -WTERMSIG(status);
	return test->signal ? -1 : WEXITSTATUS(status);
}

#define CK_VERBOSE
#define srunner_create(suite)	      (suite)
#define srunner_run_all(suite, level) ck__run_all(suite)
#define srunner_ntests_failed(suite)  ((suite)->failed)

static inline void ck__run_all(Suite *suite)
{
	int count = 0;

	for (TCase *test = suite->first; test; test = test->next, count++) {
		int e = ck__run(test);

		printf("%s: %s (%d)\n", test->name, e ? "failed" : "passed", e);
		suite->failed += e != 0;
	}
	printf("%d%%: Checks: %d, Failures: %d, Errors: 0\n",
	       count ? (count - suite->failed) * 100 / count : 100, count, suite->failed);
}

static inline void srunner_free(SRunner *suite)
{
	while (suite->first) {
		TCase *next = suite->first->next;

		free(suite->first);
		suite->first = next;
	}
	free(suite);
}

#endif
