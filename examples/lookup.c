/* SPDX-License-Identifier: MIT */
/*
 * Lookup: a hash map whose values come by futures. The map belongs to the loop; values are large,
 * and a mover copies them. A put is seen when all of its value is there. A lookup is a chain of two
 * steps: find, which is a kind of future of its own and is over at its first poll, and the copy.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tern.h>

#define BUCKETS	   256 /* a power of two */
#define ENTRIES	   1000
#define VALUE_SIZE 20000

struct entry {
	struct entry *next;
	uint64_t key;
	char value[VALUE_SIZE];
};

struct map {
	struct entry *buckets[BUCKETS];
	struct tern_vdm *vdm;
};

/* Puts a value or gets one: yours until future, which is chain.future, is complete. */
struct request {
	struct tern_chain chain; /* result: 0; -ENOENT */
	struct tern_step steps[2];
	struct tern_future own; /* the step that looks at the map */
	struct tern_vdm_op copy;
	struct map *map;
	uint64_t key;
	void *value; /* for a get */
	struct entry *entry;
};

static struct entry **bucket_of(struct map *map, uint64_t key)
{
	return &map->buckets[(key * UINT64_C(0x9e3779b97f4a7c15)) >> 56 & (BUCKETS - 1)];
}

static enum tern_future_state find(struct tern_future *future, struct tern_notifier *notifier)
{
	struct request *get = tern_container_of(future, struct request, own);
	struct entry *entry = *bucket_of(get->map, get->key);

	while (entry && entry->key != get->key)
		entry = entry->next;
	get->entry = entry;
	future->result = entry ? 0 : -ENOENT;
	return TERN_FUTURE_COMPLETE;
}

static enum tern_future_state insert(struct tern_future *future, struct tern_notifier *notifier)
{
	struct request *put = tern_container_of(future, struct request, own);
	struct entry **bucket = bucket_of(put->map, put->key);

	put->entry->next = *bucket;
	*bucket = put->entry;
	future->result = 0;
	return TERN_FUTURE_COMPLETE;
}

static const struct tern_future_ops find_ops = {.size = sizeof(find_ops), .poll = find};
static const struct tern_future_ops insert_ops = {.size = sizeof(insert_ops), .poll = insert};

static int prepare_copy(struct tern_chain *chain, struct tern_step *step,
			const struct tern_future *before)
{
	struct request *get = chain->user;

	tern_vdm_prep_memcpy(&get->copy, get->map->vdm, get->value, get->entry->value, VALUE_SIZE,
			     0);
	return 0;
}

/* value has room for VALUE_SIZE bytes. */
static void map_get(struct map *map, struct request *get, uint64_t key, void *value)
{
	*get = (struct request){.map = map, .key = key, .value = value};
	tern_future_init(&get->own, &find_ops);
	get->steps[0] = (struct tern_step){.future = &get->own};
	get->steps[1] = (struct tern_step){.future = &get->copy.future, .map = prepare_copy};
	tern_chain_init(&get->chain, get->steps, 2);
	get->chain.user = get;
}

/* entry becomes the map's; key must be new. */
static void map_put(struct map *map, struct request *put, struct entry *entry, uint64_t key,
		    const void *value)
{
	*put = (struct request){.map = map, .key = key, .entry = entry};
	entry->key = key;
	tern_vdm_prep_memcpy(&put->copy, map->vdm, entry->value, value, VALUE_SIZE, 0);
	tern_future_init(&put->own, &insert_ops);
	put->steps[0] = (struct tern_step){.future = &put->copy.future};
	put->steps[1] = (struct tern_step){.future = &put->own};
	tern_chain_init(&put->chain, put->steps, 2);
}

static struct map map;
static struct entry entries[ENTRIES];
static struct request requests[ENTRIES + 1];
static char values[ENTRIES + 1][VALUE_SIZE];

static void joined(struct tern_future *future, void *user)
{
	printf("%s: %s\n", (const char *)user,
	       future->result ? strerror(-(int)future->result) : "all well");
}

/* All at once, as one future. */
static void run_all(struct tern_loop *loop, size_t n, const char *what)
{
	static struct tern_future *of[ENTRIES + 1];
	struct tern_future_run run;
	struct tern_join join;

	for (size_t i = 0; i < n; i++)
		of[i] = &requests[i].chain.future;
	tern_join_init(&join, of, n);
	tern_future_run(&run, loop, &join.future, joined, (void *)what);
	tern_loop_run(loop);
}

int main(void)
{
	struct tern_loop *loop;
	struct tern_pool *pool;
	int good = 0;

	if (tern_loop_create(&loop, NULL) || tern_pool_create(&pool, NULL) ||
	    tern_vdm_pool_create(&map.vdm, pool, NULL))
		return 1;
	for (uint64_t i = 0; i < ENTRIES; i++) {
		memset(values[i], (int)i, VALUE_SIZE);
		map_put(&map, &requests[i], &entries[i], i * i, values[i]);
	}
	run_all(loop, ENTRIES, "put");
	memset(values, 0, sizeof(values));
	for (uint64_t i = 0; i < ENTRIES; i++)
		map_get(&map, &requests[i], i * i, values[i]);
	map_get(&map, &requests[ENTRIES], 2, values[ENTRIES]); /* no square */
	run_all(loop, ENTRIES + 1, "get");
	for (int i = 0; i < ENTRIES; i++)
		good += requests[i].chain.future.result == 0 && values[i][0] == (char)i &&
			values[i][VALUE_SIZE - 1] == (char)i;
	printf("%d of %d values are back; of key 2: %s\n", good, ENTRIES,
	       strerror(-(int)requests[ENTRIES].chain.future.result));
	tern_vdm_pool_destroy(map.vdm);
	tern_loop_destroy(loop);
	tern_pool_destroy(pool);
	return 0;
}
