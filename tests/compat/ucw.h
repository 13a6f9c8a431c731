/* SPDX-License-Identifier: MIT */
/* What the tests of <ucw/asio.h> share: one queue, requests in a line, files, and the engine. */
#ifndef TERN_TESTS_UCW_H
#define TERN_TESTS_UCW_H

#include "../harness.h"

#include <fcntl.h>
#include <ucw/asio.h>
#include <unistd.h>

#ifndef TERN_COMPAT_UCW_ASIO_H
#error this is not the drop-in
#endif

/* Of all queues that a test starts. */
#define BUFFER (64u << 10)

extern struct asio_queue q;

void start(uns max_writebacks);
/* Ends q; nothing may be left in it. */
void finish(void);

/* A request of q, its buffer full of a letter; submitted or not. */
struct asio_request *request(enum asio_op op, int fd, uns len, char letter);
struct asio_request *submit(enum asio_op op, int fd, uns len, char letter);
/* The next that q has finished must have come to this; it is put. */
void comes(int status, int error);

/* A file without a name. */
int file_new(void);
long long place(int fd);
/* From the file's beginning there must be so many of each letter, and nothing else. */
void holds(int fd, const char *letters, uns each);

/* How many descriptors are open, and how many threads of the drop-in's there are. */
unsigned descriptors(void);
unsigned carriers(void);
/* Waits until there is none. */
void carriers_go(void);

/* Runs the tests, on the engine that this program is built for, if it can be had. */
int run_on_engine(const char *idea, const struct test *tests, size_t n, int argc, char **argv);

#endif
