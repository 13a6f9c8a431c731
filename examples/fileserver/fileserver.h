/* SPDX-License-Identifier: MIT */
/*
 * What the parts of the file server share.
 *
 * One rule holds everywhere: the loop's thread never waits for a file. Bodies of files are read and
 * written by queues of disk requests; all else that has to do with files is sent to a pool, and
 * functions that end in _run are the ones that run there. A request has one item, and one thing of
 * either kind out at a time; meanwhile the connection is suspended or is being fed from memory.
 */
#ifndef FILESERVER_H
#define FILESERVER_H

#include <ev.h>
#include <inttypes.h>
#include <microhttpd.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/queue.h>
#include <sys/stat.h>
#include <tern.h>
#include <tern/io.h>
#include <tern/io_engine.h>

/* How much of a file is read at once. A connection holds two of these at most. */
#define CHUNK_SIZE ((size_t)256 << 10)

/* What direct I/O may demand of buffers and offsets; a file that demands more has none. */
#define DISK_BLOCK ((size_t)4096)

/* How much of an upload is written at once. */
#define UPLOAD_BUFFER_SIZE (64 << 10)

/* main.c: what the command line says. */
struct config {
	const char *root;
	const char *address;
	const char *port;
	uint32_t threads;     /* at most, in each of the pools; 0: the library's choice */
	uint32_t connections; /* at most; others wait until one is free */
	uint32_t timeout_s;   /* how long a client may take */
	uint32_t grace_s;     /* how long a drain may take */
	bool inline_work;     /* no pools: all work on the loop's thread */
	bool writable;	      /* takes PUT */
	bool buffered;	      /* reads and writes through the page cache */
	bool pool_engine;     /* reads and writes on the pool, even where there is io_uring */
};

/* stats.c */
struct counters {
	uint64_t requests;
	uint64_t bytes; /* of bodies, handed to the sender */
	uint64_t connections_total;
	uint32_t connections;
	uint64_t submitted, done;
	uint64_t started_unix_us, started_ns; /* the same moment on two clocks */
};

/* lag.c */
#define LAG_SECONDS 60

struct lag {
	struct tern_loop *loop;
	struct tern_timer timer;
	uint64_t start_ns, due_ns, last_ns, longest_ns;
	uint64_t second; /* the one that is not over yet, counted from the start */
	uint64_t seconds_ns[LAG_SECONDS + 1]; /* the longest in each, a ring */
};

/* disk.c: a queue, and the requests that wait until it has room for what they want. */
TAILQ_HEAD(requests, request);

struct disk {
	struct tern_io_queue *queue; /* NULL: none */
	struct requests waiting;
	uint64_t write_errors;
};

/* body.c: buffers for chunks that nobody needs now: a new one would cost its pages. */
#define CHUNKS_KEPT 64

struct chunks {
	void *kept[CHUNKS_KEPT];
	uint32_t count;
};

/* close.c */
struct closer {
	struct tern_work work;
	struct server *server;
	bool out;
	struct requests waiting, closing;
};

TAILQ_HEAD(clients, client);
TAILQ_HEAD(uploads, upload);

struct server {
	const struct config *config;
	struct ev_loop *ev;
	struct tern_loop *loop;
	struct tern_pool *files;   /* short work: open, read, list, close; NULL: inline */
	struct tern_pool *digests; /* long work, so that short work need not queue behind it */
	struct tern_lane *commits; /* of files: one at a time takes its place in the tree */
	struct disk reads, writes;
	struct closer closer;
	struct chunks chunks;
	int root; /* all paths are looked up beneath it */

	struct MHD_Daemon *http;
	ev_io http_ready;
	ev_timer http_due;
	ev_timer sweep;
	ev_timer grace;
	ev_signal term, intr;
	int gone_fd; /* an epoll of its own; see gone.c */
	ev_io gone_ready;

	struct clients clients;
	struct uploads uploads;
	uint32_t requests; /* whose memory is in use */
	bool draining;	   /* no new connections, and those without a request are closed */
	bool cut;	   /* and the others too: the grace is over */
	struct counters counters;
	struct lag lag;
};

/* client.c: a connection, and by when it must have done something. */
struct client {
	TAILQ_ENTRY(client) link;
	struct server *server;
	struct request *request; /* the one that is being answered */
	int fd;
	bool gone;	 /* it has closed its side */
	double deadline; /* on the loop's clock; 0: none, it is we who work */
};

/* conditional.c: the header fields that decide what a GET is answered with. */
struct conditions {
	const char *if_match, *if_none_match, *if_modified_since, *if_unmodified_since;
	const char *range, *if_range;
};

/* What a file was when it was opened. */
struct file {
	uint64_t size;
	time_t modified;
	char etag[64];
};

/* range.c */
struct range {
	uint64_t first, length;
};

enum range_kind {
	RANGE_NONE,
	RANGE_ONE,
	RANGE_OUTSIDE
};

/* body.c: a file's content on its way through two buffers. */
struct body {
	char *data; /* being sent */
	size_t length, used;
	char *next; /* read ahead */
	size_t next_length;
	uint64_t offset; /* in the file, of what is read next */
	uint64_t left;	 /* what remains to be read */
	size_t skip;	 /* bytes that direct I/O has to read in front of it */
	bool chunks;	 /* there are several: both buffers have their size */
};

/* upload.c: a file that is on its way in. It gets its name when all of it is on the disk. */
enum upload_phase {
	UPLOAD_OPENING,	  /* the folder and the file */
	UPLOAD_RECEIVING, /* the body; what is refused is taken in and dropped */
	UPLOAD_ENDING,
	UPLOAD_OVER
};

struct upload {
	TAILQ_ENTRY(upload) link; /* while the file is open */
	struct tern_io_file file;
	enum upload_phase phase;
	uint64_t expected;  /* bytes; 0: not known, or none */
	bool impatient;	    /* the client waits for a word before it sends its body */
	struct tern_io *io; /* what is gathered, for the file's end */
	size_t filled;
	uint64_t offset; /* of that */
	bool dirty;	 /* writes may be out */
	int error;	 /* negative errno: the first that failed */
	int folder;
	char *name;	/* in it */
	char temp[32];	/* what the file is called until it is complete ... */
	bool linked;	/* ... if it has a name at all */
	bool replaces;	/* there is a file of that name ... */
	mode_t mode;	/* ... with these permissions */
	bool committed; /* it has its name; the folder is to be made durable */
};

/* request.c */
struct request {
	struct tern_work work; /* one item: at most one thing is out at a time */
	struct server *server;
	struct client *client;
	struct MHD_Connection *connection; /* NULL: the client has been served, or is gone */
	const char *url;		   /* as sent; the connection's memory */
	struct conditions conditions;	   /* likewise */
	bool head, digest;
	bool page;			       /* it is for a part of the server's own page */
	bool started;			       /* the first item has been sent */
	bool out;			       /* something is out: hands off what it works on */
	bool item_out;			       /* and that is the item */
	bool waiting;			       /* the connection is suspended until it is home */
	bool canceled;			       /* the item came home without having run */
	bool more;			       /* set by the pool: send the item once more */
	atomic_bool abandoned;		       /* nobody wants the answer any more */
	int status;			       /* from here on: what the pool found */
	int fd;				       /* the file, as long as it is open */
	struct tern_io_file data;	       /* the same, for queues */
	bool (*step)(struct request *request); /* disk.c: what it waits for room for */
	TAILQ_ENTRY(request) turn;
	const char *type; /* of the content */
	char *location;	  /* of a redirection */
	struct file file;
	struct range range; /* what of it is sent */
	struct body body;
	struct digest *hash;
	struct upload *upload; /* NULL: not a PUT */
	char path[];	       /* decoded, relative to the root; of a PUT, the folder */
};

/* server.c */
int server_start(struct server *server, const struct config *config);
void server_stop(struct server *server);
void server_settle(struct server *server);
void server_kick(struct server *server);

/* listen.c: opens the listening socket; returns it, or a negative errno. */
int listen_on(const char *address, const char *port);
void listen_announce(int fd);

/* client.c */
void client_notify(void *cls, struct MHD_Connection *connection, void **slot,
		   enum MHD_ConnectionNotificationCode code);
void client_busy(struct client *client, struct request *request);
void client_sending(struct client *client, uint64_t size);
void client_receiving(struct client *client, uint64_t size);
void client_idle(struct client *client);
void client_gone(struct client *client);
void clients_sweep(struct server *server);
void clients_close(struct server *server, bool all);

/* request.c */
enum MHD_Result request_handle(void *cls, struct MHD_Connection *connection, const char *url,
			       const char *method, const char *version, const char *upload,
			       size_t *upload_size, void **slot);
void request_completed(void *cls, struct MHD_Connection *connection, void **slot,
		       enum MHD_RequestTerminationCode code);
void request_submit(struct request *request, struct tern_pool *pool, tern_work_fn *run);
void request_wait(struct request *request);
void request_home(struct request *request);
void request_abandon(struct request *request);
void request_free(struct request *request);

/* close.c */
void closer_start(struct server *server);
void closer_take(struct request *request);

/* disk.c */
int disks_start(struct server *server);
void disks_stop(struct server *server);
void disk_turn(struct disk *disk, struct request *request, bool (*step)(struct request *request));
struct tern_io *disk_get(struct disk *disk, struct request *request);
bool disk_submit(struct tern_io *io, void (*done)(struct tern_io *io));

/* upload.c, and its work in target.c */
enum MHD_Result upload_begin(struct request *request);
enum MHD_Result upload_handle(struct request *request, const char *data, size_t *size);
void upload_home(struct request *request);
bool upload_undo(struct request *request);
void upload_free(struct upload *upload);
void target_open_run(struct tern_work *work);
void target_commit_run(struct tern_work *work);
void target_close(struct upload *upload);
int target_status(int error);

/* reply.c */
enum MHD_Result reply_status(struct request *request, int status);
enum MHD_Result reply_ping(struct request *request);
enum MHD_Result reply_stats(struct request *request);
enum MHD_Result reply_found(struct request *request);

/* gone.c */
int gone_start(struct server *server);
void gone_stop(struct server *server);
void gone_watch(struct client *client);

/* path.c */
int path_decode(char *to, const char *url);
int path_open(int root, const char *path);
int path_adopt(struct tern_io_file *file, int fd, bool direct);
int path_status(int error);
void path_encode(FILE *to, const char *path);

/* walk.c */
int walk_open(int root, const char *path);

/* open.c, listing.c, digest.c, body.c: the work */
void open_run(struct tern_work *work);
int file_choose(struct request *request);
void listing_make(struct request *request, int fd);
void digest_run(struct tern_work *work);
void digest_free(struct digest *digest);
void body_begin(struct request *request);
void body_free(struct request *request);
void chunks_free(struct chunks *chunks);
ssize_t body_read(void *cls, uint64_t position, char *to, size_t max);

/* conditional.c */
void file_describe(struct file *file, const struct stat *st);
int conditions_check(const struct conditions *conditions, const struct file *file);
bool conditions_range(const struct conditions *conditions, const struct file *file);
void date_format(char *to, size_t size, time_t when);
void conditions_note(struct request *request);

/* range.c */
enum range_kind range_parse(struct range *range, const char *text, uint64_t size);

/* type.c */
const char *type_of(const char *path);

/* lag.c */
void lag_start(struct lag *lag, struct tern_loop *loop);
void lag_stop(struct lag *lag);
void lag_print(const struct lag *lag, FILE *to);

/* page_data.c, which the build makes of the files under page/; the last one has no name. */
struct embedded {
	const char *name, *etag;
	const unsigned char *data;
	size_t length;
};
extern const struct embedded embedded[];

/* page.c */
bool page_find(struct request *request);
bool page_owns(const char *path);

/* stats.c */
uint64_t clock_now_ns(void);
void stats_start(struct server *server);
char *stats_json(struct server *server, size_t *length);

#endif
