/* SPDX-License-Identifier: MIT */
/*
 * tern: blocking and heavy work for event-driven servers.
 *
 * An item leaves a loop, is carried out on a thread, and comes home to the loop that asked. This
 * header brings everything but the binding to libev, which is <tern/ev.h>. See tern(7).
 */
#ifndef TERN_H
#define TERN_H

#include <tern/base.h>
#include <tern/debug.h>
#include <tern/future.h>
#include <tern/future_pool.h>
#include <tern/io.h>
#include <tern/io_engine.h>
#include <tern/loop.h>
#include <tern/pool.h>
#include <tern/resolve.h>
#include <tern/stats.h>
#include <tern/trace.h>
#include <tern/vdm.h>

#endif
