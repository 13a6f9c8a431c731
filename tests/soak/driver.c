/* SPDX-License-Identifier: MIT */
/* What a driver does: whatever its dice say, on a loop that lives for so many items. */
#include "soak.h"

#include <errno.h>
#include <string.h>

#define POOLS	  2
#define FLIGHT	  96	/* items of a driver that are out at most */
#define LIFE	  20000 /* items of a loop */
#define POOL_LIFE 40000

struct item {
	struct tern_work work;
	struct driver *driver;
	struct place *place; /* referred to until it is over; NULL: no pool */
	uint32_t runs, burn_ns;
	bool won;
};

/* A pool with two lanes. Whoever submits holds a reference to the place. */
struct place {
	struct tern_pool *pool;
	struct tern_lane *lanes[2];
	uint64_t refs;
	uint64_t life;
	bool limited;
};

static struct place *places[POOLS];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* of places[] */
uint64_t pools_gone, pools_made;

static uint32_t dice(struct driver *d, uint32_t n)
{
	d->state ^= d->state << 13;
	d->state ^= d->state >> 17;
	d->state ^= d->state << 5;
	return d->state % n;
}

static void pool_gone(void *user)
{
	add(&pools_gone, 1);
}

static struct place *place_new(struct driver *d)
{
	const struct tern_pool_opts opts = {
		.size = sizeof(opts),
		.threads_min = dice(d, 2) ? TERN_NONE : 1,
		.threads_max = 1 + dice(d, 4),
		.idle_ms_max = dice(d, 3) ? 1 : TERN_NONE,
		.wait_ms_max = dice(d, 2),
		.queue_max = dice(d, 2) ? 0 : 1 + dice(d, 64),
		.name = "soak",
		.gone = pool_gone,
	};
	struct place *p = calloc(1, sizeof(*p));

	holds(p && !tern_pool_create(&p->pool, &opts), "a pool can be had");
	for (uint32_t i = 0; i < 2; i++) {
		const struct tern_lane_opts lane = {.size = sizeof(lane), .running_max = 1 + i};

		holds(!tern_lane_create(&p->lanes[i], p->pool, &lane), "a lane can be had");
	}
	p->refs = 1;
	p->life = POOL_LIFE / 2 + dice(d, POOL_LIFE);
	p->limited = opts.wait_ms_max;
	add(&pools_made, 1);
	return p;
}

static void place_put(struct place *p)
{
	if (!p || add(&p->refs, -1))
		return;
	for (int i = 0; i < 2; i++)
		tern_lane_put(p->lanes[i]);
	tern_pool_put(p->pool);
	free(p);
}

/* A place to submit to, of which one may find that it is time for another. */
static struct place *place_get(struct driver *d)
{
	struct place *p, *old = NULL, **at = &places[dice(d, POOLS)];

	pthread_mutex_lock(&lock);
	if (!--(*at)->life) {
		old = *at;
		*at = place_new(d);
	}
	p = *at;
	add(&p->refs, 1);
	pthread_mutex_unlock(&lock);
	place_put(old);
	return p;
}

static void act(struct driver *d);

static void run(struct tern_work *work)
{
	struct item *item = tern_container_of(work, struct item, work);

	uint64_t end = item->burn_ns ? now_ns() + item->burn_ns : 0;

	holds(add(&item->runs, 1) == 1, "run is entered once");
	while (end && now_ns() < end)
		;
	add(&item->driver->ran, 1);
}

static void run_bare(struct tern_work *work)
{
	struct item *item = tern_container_of(work, struct item, work);
	struct driver *d = item->driver;

	place_put(item->place);
	free(item);
	add(&d->bare_ran, 1);
}

static void done(struct tern_work *work)
{
	struct item *item = tern_container_of(work, struct item, work);
	struct driver *d = item->driver;
	int status = work->status;

	holds(pthread_equal(d->thread, pthread_self()), "done is entered at home");
	holds(get(&item->runs) == !status, "run is entered exactly with status 0");
	holds(item->won == (status == -ECANCELED), "-ECANCELED is for what cancel took back");
	holds(status != -ETIMEDOUT || item->place->limited, "-ETIMEDOUT needs a limit");
	d->n.done += !status;
	d->n.canceled += status == -ECANCELED;
	d->n.timed_out += status == -ETIMEDOUT;
	holds(!status || status == -ECANCELED || status == -ETIMEDOUT, "no other status");
	d->flight--;
	if (d->latest == item)
		d->latest = NULL;
	place_put(item->place);
	memset(item, 0xa5, sizeof(*item));
	free(item);
	act(d);
}

static struct item *item_new(struct driver *d, struct place *place, tern_work_fn *fn)
{
	struct item *item = malloc(sizeof(*item));
	uint32_t lane = place ? dice(d, 8) : 8;

	*item = (struct item){.driver = d, .place = place};
	tern_work_init(&item->work, fn, fn == run ? done : NULL);
	item->work.priority = (uint8_t)dice(d, 3);
	if (place && dice(d, 1024) == 0) /* what waits behind it may become too old */
		item->burn_ns = dice(d, 8) ? 20000 : 1200000;
	if (lane < 2)
		tern_work_set_lane(&item->work, place->lanes[lane]);
	return item;
}

static void out(struct driver *d, struct item *item)
{
	d->latest = item;
	d->n.submitted++;
	d->flight++;
	d->life -= d->life > 0;
}

static void submit_many(struct driver *d)
{
	struct tern_work *work[8];
	struct place *p = place_get(d);
	size_t n = 1 + dice(d, 8);

	for (size_t i = 0; i < n; i++) {
		struct item *item = item_new(d, p, run);

		if (i)
			add(&p->refs, 1);
		work[i] = &item->work;
		out(d, item);
	}
	tern_pool_submit_many(p->pool, d->loop, work, n);
}

static void submit_one(struct driver *d)
{
	struct place *p = dice(d, 16) ? place_get(d) : NULL;
	struct item *item = item_new(d, p, run);

	out(d, item);
	tern_pool_submit(p ? p->pool : NULL, d->loop, &item->work);
}

static void submit_bare(struct driver *d)
{
	struct place *p = place_get(d), *kept = p;
	struct item *item = item_new(d, p, run_bare);

	d->n.bare++;
	d->life -= d->life > 0;
	add(&kept->refs, 1); /* the item gives its reference back before submit returns */
	tern_pool_submit(p->pool, NULL, &item->work);
	place_put(kept);
}

static void room_came(struct tern_post *post)
{
	struct driver *d = post->user;

	d->n.roomed++;
	d->rooms_out--;
	free(post);
	act(d);
}

static void try_submit(struct driver *d)
{
	struct place *p = place_get(d);
	struct item *item = item_new(d, p, run);
	struct tern_post *post;

	if (!tern_pool_try_submit(p->pool, d->loop, &item->work)) {
		out(d, item);
		return;
	}
	free(item);
	d->n.refused++;
	if (d->rooms_out < 8) {
		post = malloc(sizeof(*post));
		tern_post_init(post, room_came);
		post->user = d;
		d->n.rooms++;
		d->rooms_out++;
		tern_pool_notify_room(p->pool, d->loop, post);
	}
	place_put(p);
}

static void post_came(struct tern_post *post)
{
	struct driver *d = post->user;

	holds(pthread_equal(d->thread, pthread_self()), "a post comes home");
	d->n.posted++;
	d->posts_out--;
	free(post);
}

static void post_one(struct driver *d)
{
	struct tern_post *post = malloc(sizeof(*post));

	tern_post_init(post, post_came);
	post->user = d;
	d->n.posts++;
	d->posts_out++;
	tern_loop_post(d->loop, post);
}

static void ticked(struct tern_timer *timer)
{
	struct driver *d = timer->user;

	d->n.ticked++;
	d->ticking = false;
	act(d);
}

static void tick(struct driver *d)
{
	if (d->ticking && dice(d, 2)) {
		holds(tern_timer_stop(&d->timer), "a timer that has not run can be stopped");
		d->n.ticks--;
		d->ticking = false;
		return;
	}
	d->n.ticks += !d->ticking;
	d->ticking = true;
	tern_timer_start(d->loop, &d->timer, dice(d, 100000));
}

static void cancel(struct driver *d)
{
	if (d->latest && tern_work_cancel(&d->latest->work)) {
		holds(!d->latest->won, "cancel wins once");
		d->latest->won = true;
	}
}

static void act(struct driver *d)
{
	for (uint32_t n = 1 + dice(d, 3); n && d->life && d->flight < FLIGHT; n--) {
		uint32_t what = dice(d, 32);

		if (what < 16)
			submit_one(d);
		else if (what < 20)
			submit_many(d);
		else if (what < 23)
			try_submit(d);
		else if (what < 25)
			submit_bare(d);
		else if (what < 29)
			cancel(d);
		else if (what < 30)
			post_one(d);
		else
			tick(d);
	}
}

/* It is destroyed while the other drivers go on. */
void live(struct driver *d)
{
	const struct tern_loop_opts opts = {
		.size = sizeof(opts),
		.batch_max = dice(d, 3) * 7,
		.spin_us_max = dice(d, 2) ? TERN_NONE : 0,
		.coalesce_us_max = dice(d, 2) ? TERN_NONE : 0,
	};

	holds(!tern_loop_create(&d->loop, &opts), "a loop can be had");
	d->n.loops++;
	d->life = 1 + dice(d, LIFE);
	if (d->life > d->left)
		d->life = d->left;
	add(&d->left, -d->life);
	tern_timer_init(&d->timer, ticked);
	d->timer.user = d;
	while (d->life) {
		act(d);
		holds(!tern_loop_run(d->loop), "run returns 0");
		holds(!d->flight && !d->ticking && !d->rooms_out, "run ends when all is home");
	}
	tern_loop_destroy(d->loop);
	d->latest = NULL;
	holds(!d->posts_out, "posts come, at the latest at the end");
	holds(d->n.submitted == d->n.done + d->n.canceled + d->n.timed_out,
	      "items are accounted for");
}

void places_open(struct driver *d)
{
	for (int i = 0; i < POOLS; i++)
		places[i] = place_new(d);
}

void places_close(void)
{
	for (int i = 0; i < POOLS; i++)
		place_put(places[i]);
}
