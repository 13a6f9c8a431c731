/* SPDX-License-Identifier: MIT */
/* A ring as good as we can make one, with as little around it as can be: the limit. */
#ifndef RING_H
#define RING_H

#include "disk.h"

#include <liburing.h>

extern struct io_uring ring;

void ring_start(void);
void ring_fill(void);	  /* the first depth */
unsigned ring_reap(void); /* what is over, and what follows it; returns how many were over */

#endif
