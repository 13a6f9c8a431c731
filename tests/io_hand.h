/* SPDX-License-Identifier: MIT */
/* An engine whose requests are over when the test says so, and as it says. */
#ifndef TERN_TESTS_IO_HAND_H
#define TERN_TESTS_IO_HAND_H

#include "io_engines.h"

#define HANDS 256

struct hand {
	struct tern_io_engine table;
	struct tern_io *held[HANDS]; /* started and not over, oldest first */
	unsigned n;
	unsigned starts;	   /* so far, refused ones included */
	unsigned refuses;	   /* so many starts from now on return ... */
	int refusal;		   /* ... this */
	bool takes_back;	   /* cancel is possible */
	struct tern_io_piece last; /* what was started last */
};

/* An engine for one queue; it must outlive that. */
void hand_init(struct hand *hand);
/* A bed whose queue has it. */
void hand_bed(struct bed *bed, struct hand *hand, struct tern_io_opts opts);
/* The i-th of those held is over; the loop has not seen it yet. */
void hand_complete(struct hand *hand, unsigned i, int64_t result);
/* All that are held, in order, each with its length, or 0 where nothing is moved. */
void hand_complete_all(struct hand *hand);
/* What is to be done for the i-th of those held. */
struct tern_io_piece hand_piece(const struct hand *hand, unsigned i);
/* Completes and turns the loop until nothing is outstanding. */
void hand_finish(struct bed *bed, struct hand *hand);

/* The loop's turn, without sleeping. */
void turn(struct bed *bed);

/* A file that is none: for an engine that never touches it. */
static inline struct tern_io_file no_file(uint32_t align)
{
	return (struct tern_io_file){
		.fd = 1000,
		.direct = align > 1,
		.seekable = true,
		.memory_align = align,
		.offset_align = align,
	};
}

#endif
