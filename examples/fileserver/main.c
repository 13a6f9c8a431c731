/* SPDX-License-Identifier: MIT */
/* The command line of the file server. */
#include <errno.h>
#include <getopt.h>
#include <malloc.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "fileserver.h"

static const char usage[] =
	"usage: fileserver [options]\n"
	"Serves the files under a directory. http://ADDRESS:PORT/-/ shows live how it fares,\n"
	"/-/stats tells it as JSON.\n"
	"  -r, --root DIR        what to serve (.)\n"
	"  -a, --address ADDR    where to listen, as a number (127.0.0.1)\n"
	"  -p, --port PORT       0: any that is free (0)\n"
	"  -t, --threads N       at most, in each of the two pools (0: as many as pay)\n"
	"  -c, --connections N   at most; more of them wait (512)\n"
	"      --timeout S       seconds a client may be silent, or take for a request (30)\n"
	"      --grace S         seconds that running requests get after SIGTERM (5)\n"
	"      --writable        takes files by PUT, too\n"
	"      --buffered        reads and writes through the page cache\n"
	"      --pool            reads and writes on threads, also where there is io_uring\n"
	"      --inline          no threads: the same work on the loop, for comparison\n"
	"  -h, --help\n";

enum {
	OPT_TIMEOUT = 256,
	OPT_GRACE,
	OPT_WRITABLE,
	OPT_BUFFERED,
	OPT_POOL,
	OPT_INLINE
};

static const struct option options[] = {
	{"root", required_argument, NULL, 'r'},
	{"address", required_argument, NULL, 'a'},
	{"port", required_argument, NULL, 'p'},
	{"threads", required_argument, NULL, 't'},
	{"connections", required_argument, NULL, 'c'},
	{"timeout", required_argument, NULL, OPT_TIMEOUT},
	{"grace", required_argument, NULL, OPT_GRACE},
	{"writable", no_argument, NULL, OPT_WRITABLE},
	{"buffered", no_argument, NULL, OPT_BUFFERED},
	{"pool", no_argument, NULL, OPT_POOL},
	{"inline", no_argument, NULL, OPT_INLINE},
	{"help", no_argument, NULL, 'h'},
	{0},
};

static void fail(const char *what, const char *why)
{
	fprintf(stderr, "fileserver: %s: %s\n", what, why);
	exit(2);
}

static uint32_t number(const char *text, uint32_t min, uint32_t max)
{
	char *end;
	unsigned long value;

	errno = 0;
	value = strtoul(text, &end, 10);
	if (errno || end == text || *end || *text == '-' || value < min || value > max)
		fail(text, "not a number in range");
	return (uint32_t)value;
}

static void parse(struct config *config, int argc, char **argv)
{
	int option;

	while ((option = getopt_long(argc, argv, "r:a:p:t:c:h", options, NULL)) != -1) {
		switch (option) {
		case 'r':
			config->root = optarg;
			break;
		case 'a':
			config->address = optarg;
			break;
		case 'p':
			number(optarg, 0, 65535);
			config->port = optarg;
			break;
		case 't':
			config->threads = number(optarg, 0, 1024);
			break;
		case 'c':
			config->connections = number(optarg, 1, 100000);
			break;
		case OPT_TIMEOUT:
			config->timeout_s = number(optarg, 1, 86400);
			break;
		case OPT_GRACE:
			config->grace_s = number(optarg, 0, 86400);
			break;
		case OPT_WRITABLE:
			config->writable = true;
			break;
		case OPT_BUFFERED:
			config->buffered = true;
			break;
		case OPT_POOL:
			config->pool_engine = true;
			break;
		case OPT_INLINE:
			config->inline_work = true;
			break;
		case 'h':
			fputs(usage, stdout);
			exit(0);
		default:
			fputs(usage, stderr);
			exit(2);
		}
	}
	if (optind < argc)
		fail(argv[optind], "unexpected argument");
}

/* A connection may have a file open besides its socket, and a folder. */
static void raise_limit(uint32_t connections)
{
	rlim_t wanted = 3 * (rlim_t)connections + 64;
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur >= wanted)
		return;
	limit.rlim_cur = wanted < limit.rlim_max ? wanted : limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

/* Everything that the C library might look up in a file later, on the loop's thread. */
static void look_up_now(void)
{
	tzset(); /* /etc/localtime, with the first date */
#ifdef M_ARENA_MAX
	mallopt(M_ARENA_MAX, 1); /* /proc/sys/vm, when the loop frees what a worker allocated */
#endif
}

int main(int argc, char **argv)
{
	struct config config = {
		.root = ".",
		.address = "127.0.0.1",
		.port = "0",
		.connections = 512,
		.timeout_s = 30,
		.grace_s = 5,
	};
	static struct server server;
	int error;

	parse(&config, argc, argv);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN); /* what is too large is an error of its own request */
	raise_limit(config.connections);
	look_up_now();
	error = server_start(&server, &config);
	if (!error)
		ev_run(server.ev, 0);
	server_stop(&server);
	if (error)
		fail("cannot serve", strerror(-error));
	return 0;
}
