/* SPDX-License-Identifier: MIT */
/*
 * Asks a server for a small page on a fixed schedule and tells how long each answer took from the
 * time it was due. A tick that passes while an answer is awaited is charged with its own wait: a
 * server that is away for 50 ms has let down 50 ticks, not one.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define SECOND_NS INT64_C(1000000000)

/* Longer runs keep the first hour. */
#define TICKS_MAX ((size_t)3600000)

struct probe {
	int fd;
	char request[1024];
	size_t request_length;
	int64_t period_ns, end_ns;
	uint32_t *wait_us; /* of each tick, from when it was due */
	size_t ticks;
	uint64_t asked;
	int64_t late_ns; /* the longest the probe itself was late: nobody else's fault */
	int64_t away_ns; /* the longest from a tick, or the asking if that was late, to the answer
			  */
};

static volatile sig_atomic_t stop;

static void on_signal(int signal)
{
	stop = 1;
}

static void fail(const char *what)
{
	fprintf(stderr, "probe: %s: %s\n", what, errno ? strerror(errno) : "unexpected end");
	exit(1);
}

static int64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * SECOND_NS + now.tv_nsec;
}

static void sleep_until(int64_t when_ns)
{
	struct timespec when = {when_ns / SECOND_NS, when_ns % SECOND_NS};

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &when, NULL) == EINTR && !stop)
		;
}

/* What is measured shall be the server, not the queue for a CPU in front of the probe. */
static const char *raise_priority(void)
{
	const struct sched_param param = {.sched_priority = 1};

	mlockall(MCL_CURRENT);
	if (sched_setscheduler(0, SCHED_FIFO, &param) == 0)
		return "fifo";
	return setpriority(PRIO_PROCESS, 0, -10) == 0 ? "nice" : "normal";
}

/*
 * Before other processes: for itself, and for its session, which Linux may schedule as a whole.
 * Where that is not permitted, the control competes as the server does.
 */
static void favour(void)
{
	int fd;

	setpriority(PRIO_PROCESS, 0, -10);
	setsid();
	fd = open("/proc/self/autogroup", O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	if (write(fd, "-10", 3) < 0)
		errno = 0;
	close(fd);
}

/*
 * The control: the least a server can do, in a process of its own. How long that is away at the
 * same time is the machine's doing. Returns its port.
 */
static in_port_t start_control(void)
{
	static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\npong\n";
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t length = sizeof(address);
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char request[1024];
	int fd;

	if (listener < 0 || bind(listener, (struct sockaddr *)&address, length) < 0 ||
	    listen(listener, 1) < 0 ||
	    getsockname(listener, (struct sockaddr *)&address, &length) < 0)
		fail("control");
	if (fork() != 0)
		return ntohs(address.sin_port);
	favour();
	fd = accept(listener, NULL, NULL);
	while (recv(fd, request, sizeof(request), 0) > 0)
		if (send(fd, answer, sizeof(answer) - 1, MSG_NOSIGNAL) < 0)
			break;
	_exit(0);
}

static void dial(struct probe *probe, in_port_t port)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_port = htons(port),
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	const struct timeval patience = {.tv_sec = 60};
	int one = 1;

	probe->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (probe->fd < 0 || connect(probe->fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		fail("connect");
	setsockopt(probe->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	setsockopt(probe->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
}

/* The length of the whole answer, once its header is complete; else 0. */
static size_t answer_length(const char *text)
{
	static const char field[] = "\r\nContent-Length:";
	const char *end = strstr(text, "\r\n\r\n");
	const char *length = end ? strcasestr(text, field) : NULL;

	if (!length || length > end)
		return 0;
	return (size_t)(end + 4 - text) + strtoul(length + sizeof(field) - 1, NULL, 10);
}

static void ask(struct probe *probe)
{
	char answer[16384];
	size_t have = 0, length = 0;

	errno = 0;
	if (send(probe->fd, probe->request, probe->request_length, MSG_NOSIGNAL) !=
	    (ssize_t)probe->request_length)
		fail("send");
	do {
		ssize_t got = recv(probe->fd, answer + have, sizeof(answer) - 1 - have, 0);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			fail("receive");
		have += (size_t)got;
		answer[have] = '\0';
		length = answer_length(answer);
	} while (!length || have < length);
	if (strncmp(answer, "HTTP/1.1 200", 12) != 0) {
		errno = EPROTO;
		fail("answer");
	}
	probe->asked++;
}

/* All ticks up to the answer are charged; returns the next one. */
static int64_t charge(struct probe *probe, int64_t due, int64_t asked, int64_t answered)
{
	int64_t since = asked > due + probe->period_ns ? asked : due;

	if (asked - due > probe->late_ns)
		probe->late_ns = asked - due;
	if (answered - since > probe->away_ns)
		probe->away_ns = answered - since;
	for (; due <= answered; due += probe->period_ns)
		if (probe->ticks < TICKS_MAX)
			probe->wait_us[probe->ticks++] = (uint32_t)((answered - due) / 1000);
	return due;
}

static void run(struct probe *probe)
{
	int64_t due = now_ns() + probe->period_ns;

	while (!stop && due < probe->end_ns) {
		int64_t asked;

		sleep_until(due);
		asked = now_ns();
		ask(probe);
		due = charge(probe, due, asked, now_ns());
	}
}

static int by_size(const void *a, const void *b)
{
	uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;

	return left < right ? -1 : left > right;
}

static double quantile_ms(const struct probe *probe, double q)
{
	size_t at = (size_t)(q * (double)probe->ticks);

	if (!probe->ticks)
		return 0;
	return probe->wait_us[at < probe->ticks ? at : probe->ticks - 1] / 1e3;
}

static void report(const struct probe *probe, const char *priority)
{
	qsort(probe->wait_us, probe->ticks, sizeof(*probe->wait_us), by_size);
	printf("{\"ticks\": %zu, \"asked\": %" PRIu64 ", \"priority\": \"%s\"", probe->ticks,
	       probe->asked, priority);
	printf(", \"p50_ms\": %.3f, \"p99_ms\": %.3f, \"p999_ms\": %.3f, \"max_ms\": %.3f",
	       quantile_ms(probe, 0.5), quantile_ms(probe, 0.99), quantile_ms(probe, 0.999),
	       quantile_ms(probe, 1));
	printf(", \"away_max_ms\": %.3f, \"probe_late_max_ms\": %.3f}\n",
	       (double)probe->away_ns / 1e6, (double)probe->late_ns / 1e6);
}

struct request {
	const char *path;
	in_port_t port;
	bool control;
	double rate, seconds;
};

static bool parse(struct request *request, int argc, char **argv)
{
	static const struct option options[] = {
		{"port", required_argument, NULL, 'p'},	   {"control", no_argument, NULL, 'c'},
		{"path", required_argument, NULL, 'f'},	   {"rate", required_argument, NULL, 'r'},
		{"seconds", required_argument, NULL, 's'}, {0},
	};
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (option) {
		case 'p':
			request->port = (in_port_t)atoi(optarg);
			break;
		case 'f':
			request->path = optarg;
			break;
		case 'r':
			request->rate = atof(optarg);
			break;
		case 's':
			request->seconds = atof(optarg);
			break;
		case 'c':
			request->control = true;
			break;
		default:
			return false;
		}
	}
	return !request->port == request->control && request->rate > 0 && optind == argc;
}

static void prepare(struct probe *probe, const struct request *request)
{
	probe->wait_us = malloc(TICKS_MAX * sizeof(*probe->wait_us));
	if (!probe->wait_us)
		fail("memory");
	probe->request_length =
		(size_t)snprintf(probe->request, sizeof(probe->request),
				 "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n", request->path);
	if (probe->request_length >= sizeof(probe->request)) {
		errno = ENAMETOOLONG;
		fail("path");
	}
	probe->period_ns = (int64_t)((double)SECOND_NS / request->rate);
}

int main(int argc, char **argv)
{
	const struct sigaction action = {.sa_handler = on_signal};
	struct request request = {.path = "/-/ping", .rate = 1000, .seconds = 10};
	struct probe probe = {0};
	const char *priority;

	if (!parse(&request, argc, argv)) {
		fputs("usage: probe --port N | --control  [--path /PATH] [--rate HZ] "
		      "[--seconds S]\n",
		      stderr);
		return 2;
	}
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
	prepare(&probe, &request);
	dial(&probe, request.control ? start_control() : request.port);
	priority = raise_priority();
	probe.end_ns = now_ns() + (int64_t)(request.seconds * (double)SECOND_NS);
	run(&probe);
	report(&probe, priority);
	close(probe.fd);
	free(probe.wait_us);
	return 0;
}
