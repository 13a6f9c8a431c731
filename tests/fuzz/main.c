/* SPDX-License-Identifier: MIT */
/*
 * Without libFuzzer: sequences by a generator of its own, or from files. With it (TERN_LIBFUZZER):
 * whatever it comes up with.
 */
#include "model.h"

#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#define SEED	 1
#define LENGTH	 1000
#define HANG_S	 60
#define WRITE(s) ((void)!write(STDERR_FILENO, s, strlen(s)))

#if defined(__SANITIZE_THREAD__)
#define SEQUENCES 600
#elif defined(__SANITIZE_ADDRESS__)
#define SEQUENCES 1200
#else
#define SEQUENCES 1500
#endif

static unsigned long sequences;

/* What the model knows, for who looks into it; racing with workers. */
static void tell(void)
{
	for (int i = 0; i < SLOTS; i++) {
		const struct slot *s = &model.slots[i];

		if (s->state)
			fprintf(stderr,
				"item %d: state %u, pool %d, lane %d, home %d, %s, %u runs%s%s%s\n",
				i, s->state, s->pool ? (int)(s->pool - model.pools) : -1,
				s->lane ? (int)(s->lane - model.lanes) : -1,
				(int)(s->home - model.loops), s->done ? "done" : "no done", s->runs,
				s->canceled ? ", canceled" : "", s->at_gate ? ", at gate" : "",
				s->by == WORKER ? ", by a run" : "");
	}
	for (int i = 0; i < LETTERS; i++) {
		const struct letter *l = &model.letters[i];

		if (l->out)
			fprintf(stderr, "post %d: to %d, room in %d, by %u\n", i,
				(int)(l->to - model.loops),
				l->room ? (int)(l->room - model.pools) : -1, l->by);
	}
	for (int i = 0; i < POOLS; i++) {
		const struct pool *p = &model.pools[i];

		fprintf(stderr,
			"pool %d: %u threads, %u refs, %u lent, %u of %u left, %u run, gone %u\n",
			i, p->threads_max, p->refs, p->lent, p->left, p->submitted, p->running,
			p->gone);
	}
}

void broken(const char *sentence, const char *file, int line)
{
	fprintf(stderr, "%s:%d: this does not hold: %s\nin sequence %lu, at: %s\n", file, line,
		sentence, sequences, model.op ? model.op : "the start");
	tell();
	abort();
}

static void say_total(void)
{
	fprintf(stderr, "%lu sequences of %lu operations\n", sequences, operations);
}

#ifdef TERN_LIBFUZZER

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	if (!sequences++)
		atexit(say_total);
	sequence(bytes, n);
	return 0;
}

#else

static void hangs(int signal)
{
	WRITE("this hangs: ");
	WRITE(model.op ? model.op : "the start");
	WRITE("\n");
	abort();
}

/* xorshift64*: the same everywhere */
static uint64_t dice(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * UINT64_C(2685821657736338717);
}

static void generate(uint64_t seed, unsigned long number)
{
	uint64_t state =
		seed * UINT64_C(0x9e3779b97f4a7c15) + number * UINT64_C(0xbf58476d1ce4e5b9) + 1;
	uint8_t bytes[LENGTH];
	size_t n = dice(&state) % LENGTH;

	for (size_t i = 0; i < n; i++)
		bytes[i] = (uint8_t)(dice(&state) >> 32);
	sequences = number;
	alarm(HANG_S);
	sequence(bytes, n);
}

static int replay(const char *name)
{
	static uint8_t bytes[1 << 20];
	FILE *file = fopen(name, "rb");

	if (!file) {
		perror(name);
		return EXIT_FAILURE;
	}
	sequence(bytes, fread(bytes, 1, sizeof(bytes), file));
	fclose(file);
	return EXIT_SUCCESS;
}

/* sequences [SEED [FIRST [COUNT]]], or sequences FILE */
int main(int argc, char **argv)
{
	uint64_t seed = argc > 1 ? strtoull(argv[1], NULL, 0) : SEED;
	unsigned long first = argc > 2 ? strtoul(argv[2], NULL, 0) : 1;
	unsigned long count = argc > 3 ? strtoul(argv[3], NULL, 0) : SEQUENCES;

	signal(SIGALRM, hangs);
	if (argc == 2 && !access(argv[1], R_OK))
		return replay(argv[1]);
	fprintf(stderr, "seed %llu\n", (unsigned long long)seed);
	for (unsigned long n = first; n < first + count; n++)
		generate(seed, n);
	sequences = count;
	say_total();
	return EXIT_SUCCESS;
}

#endif
