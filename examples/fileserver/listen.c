/* SPDX-License-Identifier: MIT */
/* The listening socket. */
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fileserver.h"

/* Returns the socket, or a negative errno. The address is a number, so that nobody is asked. */
int listen_on(const char *address, const char *port)
{
	const struct addrinfo hints = {
		.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE,
		.ai_socktype = SOCK_STREAM,
	};
	struct addrinfo *info;
	int fd, one = 1;

	if (getaddrinfo(address, port, &hints, &info) != 0)
		return -EINVAL;
	fd = socket(info->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd >= 0 &&
	    (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) < 0 ||
	     bind(fd, info->ai_addr, info->ai_addrlen) < 0 || listen(fd, SOMAXCONN) < 0)) {
		int error = errno;

		close(fd);
		errno = error;
		fd = -1;
	}
	freeaddrinfo(info);
	return fd < 0 ? -errno : fd;
}

/* Tells whoever started the server where it is; with port 0 only the kernel knows. */
void listen_announce(int fd)
{
	struct sockaddr_storage address = {0};
	socklen_t length = sizeof(address);
	char host[NI_MAXHOST], port[NI_MAXSERV];
	bool six;

	getsockname(fd, (struct sockaddr *)&address, &length);
	getnameinfo((struct sockaddr *)&address, length, host, sizeof(host), port, sizeof(port),
		    NI_NUMERICHOST | NI_NUMERICSERV);
	six = address.ss_family == AF_INET6;
	printf("listening on http://%s%s%s:%s/\n", six ? "[" : "", host, six ? "]" : "", port);
	fflush(stdout);
}
