/* SPDX-License-Identifier: MIT */
/*
 * The SHA-256 of a file, slice by slice: after each slice the item comes home and goes to the back
 * of the queue again, so that a huge file does not keep a thread from the small ones, and a client
 * that has gone is noticed.
 */
#include <errno.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <unistd.h>

#include "fileserver.h"

#define SLICE_SIZE (UINT64_C(8) << 20)

struct digest {
	EVP_MD_CTX *context;
	uint64_t offset;
	char buffer[CHUNK_SIZE];
};

void digest_free(struct digest *digest)
{
	if (digest)
		EVP_MD_CTX_free(digest->context);
	free(digest);
}

static struct digest *digest_new(void)
{
	struct digest *digest = malloc(sizeof(*digest));

	if (!digest)
		return NULL;
	digest->offset = 0;
	digest->context = EVP_MD_CTX_new();
	if (!digest->context || !EVP_DigestInit_ex(digest->context, EVP_sha256(), NULL)) {
		digest_free(digest);
		return NULL;
	}
	return digest;
}

/* Reads length bytes, or fewer where the file ends early or cannot be read. */
static size_t fill(int fd, char *to, size_t length, uint64_t offset)
{
	size_t have = 0;

	while (have < length) {
		ssize_t got = pread(fd, to + have, length - have, (off_t)(offset + have));

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			break;
		have += (size_t)got;
	}
	return have;
}

/* Returns 1 after a slice, 0 at the file's end, -1 on failure. */
static int slice(struct request *request, struct digest *digest)
{
	uint64_t size = request->file.size;
	uint64_t end = size - digest->offset > SLICE_SIZE ? digest->offset + SLICE_SIZE : size;

	while (digest->offset < end) {
		uint64_t left = end - digest->offset;
		size_t want = left < CHUNK_SIZE ? (size_t)left : CHUNK_SIZE;

		if (atomic_load_explicit(&request->abandoned, memory_order_relaxed))
			return -1;
		if (fill(request->fd, digest->buffer, want, digest->offset) != want ||
		    !EVP_DigestUpdate(digest->context, digest->buffer, want))
			return -1;
		digest->offset += want;
	}
	return end < size;
}

/* Puts the answer where a small file's content would be. */
static bool finish(struct request *request, struct digest *digest)
{
	unsigned char hash[EVP_MAX_MD_SIZE];
	unsigned int length;
	char *text;

	if (!EVP_DigestFinal_ex(digest->context, hash, &length))
		return false;
	text = malloc(2 * (size_t)length + 2);
	if (!text)
		return false;
	request->body.data = text;
	request->body.length = 2 * (size_t)length + 1;
	for (unsigned int i = 0; i < length; i++, text += 2)
		snprintf(text, 3, "%02x", hash[i]);
	*text = '\n';
	return true;
}

void digest_run(struct tern_work *work)
{
	struct request *request = tern_container_of(work, struct request, work);
	int left;

	if (!request->hash) {
		open_run(work);
		if (request->fd < 0)
			return;
		request->hash = digest_new();
	}
	left = request->hash ? slice(request, request->hash) : -1;
	request->more = left > 0;
	if (left > 0)
		return;
	if (left < 0 || !finish(request, request->hash))
		request->status = MHD_HTTP_SERVICE_UNAVAILABLE;
	close(request->fd);
	request->fd = -1;
}
