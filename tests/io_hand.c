/* SPDX-License-Identifier: MIT */
/* An engine whose requests are over when the test says so, and as it says. */
#include "io_hand.h"

static int hand_open(void **state, const struct tern_io_engine *engine,
		     const struct tern_io_engine_params *params)
{
	ck_assert_uint_ge(params->size, sizeof(params->size));
	*state = engine->user;
	return 0;
}

static void hand_close(void *state)
{
	const struct hand *hand = state;

	ck_assert_uint_eq(hand->n, 0);
}

static int hand_start(void *state, struct tern_io *io)
{
	struct hand *hand = state;

	hand->starts++;
	if (hand->refuses) {
		hand->refuses--;
		return hand->refusal;
	}
	ck_assert_uint_lt(hand->n, HANDS);
	for (unsigned i = 0; i < hand->n; i++)
		ck_assert_ptr_ne(hand->held[i], io);
	hand->last = tern_io_piece(io);
	hand->held[hand->n++] = io;
	return 0;
}

static void let_go(struct hand *hand, unsigned i)
{
	hand->n--;
	memmove(&hand->held[i], &hand->held[i + 1], (hand->n - i) * sizeof(hand->held[0]));
}

static bool hand_cancel(void *state, struct tern_io *io)
{
	struct hand *hand = state;

	for (unsigned i = 0; i < hand->n && hand->takes_back; i++) {
		if (hand->held[i] != io)
			continue;
		let_go(hand, i);
		tern_io_complete(io, -ECANCELED);
		return true;
	}
	return false;
}

void hand_init(struct hand *hand)
{
	memset(hand, 0, sizeof(*hand));
	hand->table = (struct tern_io_engine){
		.size = sizeof(hand->table),
		.name = "hand",
		.user = hand,
		.open = hand_open,
		.close = hand_close,
		.start = hand_start,
		.cancel = hand_cancel,
	};
}

void hand_bed(struct bed *bed, struct hand *hand, struct tern_io_opts opts)
{
	hand_init(hand);
	opts.engine = &hand->table;
	bed_make(bed, opts);
}

void hand_complete(struct hand *hand, unsigned i, int64_t result)
{
	struct tern_io *io = hand->held[i];

	ck_assert_uint_lt(i, hand->n);
	let_go(hand, i);
	tern_io_complete(io, result);
}

struct tern_io_piece hand_piece(const struct hand *hand, unsigned i)
{
	ck_assert_uint_lt(i, hand->n);
	return tern_io_piece(hand->held[i]);
}

void hand_complete_all(struct hand *hand)
{
	while (hand->n) {
		const struct tern_io_piece piece = hand_piece(hand, 0);
		bool moves = piece.op == TERN_IO_READ || piece.op == TERN_IO_WRITE;

		hand_complete(hand, 0, moves ? (int64_t)piece.length : 0);
	}
}

void turn(struct bed *bed)
{
	tern_loop_prepare(bed->loop);
	tern_loop_dispatch(bed->loop, 0);
}

void hand_finish(struct bed *bed, struct hand *hand)
{
	while (tern_io_outstanding(bed->queue)) {
		hand_complete_all(hand);
		turn(bed);
	}
}
