/* SPDX-License-Identifier: MIT */
/*
 * How often something took how long, in buckets of the width of a quarter. One thread at a time
 * adds, others may read meanwhile and see each item in part or whole. `count` is not kept: it is
 * the sum of the buckets, made up when the histogram is read.
 */
#ifndef TERN__HISTOGRAM_H
#define TERN__HISTOGRAM_H

#include <tern/stats.h>

/* Something took so long, and stands for weight such things. */
void tern__histogram_add(struct tern_histogram *h, uint64_t ns, uint32_t weight);

/* Adds what is in one to another, which is the caller's alone and has its count. */
void tern__histogram_merge(struct tern_histogram *to, const struct tern_histogram *from);

#endif
