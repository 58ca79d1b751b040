/*
 * The floor: what sending an event to each subscriber costs, and nothing else.
 * One thread, one send() for each subscriber and message. A message that a
 * subscriber's socket has no room for is lost to it.
 *
 *   POST /publish?topic=N   the body is the message
 *   GET /events?topic=N     the stream of a topic, N below TOPICS
 *
 * usage: floor PORT
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { TOPICS = 1 << 16, CONNECTIONS = 1 << 16, REQUEST = 64 << 10, BATCH = 256 };

/* A connection is a publisher's until it asks for a stream. */
struct connection {
	char *in; /* a request that has not come in full */
	size_t have;
	int listens; /* to topic */
	unsigned topic, place;
};

struct topic {
	int *subscribers; /* descriptors */
	unsigned count, room;
	unsigned long long last; /* message's number */
};

static struct connection connections[CONNECTIONS];
static struct topic topics[TOPICS];

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static void *grow(void *p, size_t size)
{
	p = realloc(p, size);
	if (!p)
		fail("realloc");
	return p;
}

static void subscribe(int fd, unsigned number)
{
	static const char head[] = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
				   "Transfer-Encoding: chunked\r\n\r\n";
	struct connection *c = &connections[fd];
	struct topic *t = &topics[number];

	if (t->count == t->room) {
		t->room = t->room ? 2 * t->room : 4;
		t->subscribers = grow(t->subscribers, t->room * sizeof *t->subscribers);
	}
	c->listens = 1;
	c->topic = number;
	c->place = t->count;
	t->subscribers[t->count++] = fd;
	send(fd, head, sizeof head - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void publish(int fd, unsigned number, const char *body, size_t size)
{
	static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
	static char frame[REQUEST + 128];
	struct topic *t = &topics[number];
	/* As long as the ids of others. */
	size_t whole = sizeof "id: " - 1 + 23 + sizeof "\ndata: \n\n" - 1 + size;
	int head = snprintf(frame, 128, "%zx\r\nid: %023llu\ndata: ", whole, ++t->last);

	memcpy(frame + head, body, size);
	memcpy(frame + head + size, "\n\n\r\n", 4);
	for (unsigned i = 0; i < t->count; i++)
		send(t->subscribers[i], frame, head + size + 4, MSG_NOSIGNAL | MSG_DONTWAIT);
	send(fd, answer, sizeof answer - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void drop(int fd)
{
	struct connection *c = &connections[fd];

	if (c->listens) {
		struct topic *t = &topics[c->topic];
		int moved = t->subscribers[--t->count];
		t->subscribers[c->place] = moved;
		connections[moved].place = c->place;
	}
	free(c->in);
	memset(c, 0, sizeof *c);
	close(fd);
}

/* Answers the first request of a buffer. Returns its size, 0 if it is not
 * there in full, -1 if it is none. */
static long serve(int fd, char *in, size_t have)
{
	char *end = memmem(in, have, "\r\n\r\n", 4);
	char *topic = memmem(in, have, "topic=", 6);
	char *length;
	size_t head, body;

	if (!end)
		return have < REQUEST ? 0 : -1;
	head = end + 4 - in;
	if (!topic || topic > end || strtoul(topic + 6, NULL, 10) >= TOPICS)
		return -1;
	*end = 0;
	length = strcasestr(in, "\r\nContent-Length:");
	*end = '\r';
	if (!strncmp(in, "GET /events?", 12)) {
		subscribe(fd, strtoul(topic + 6, NULL, 10));
		return head;
	}
	if (strncmp(in, "POST /publish?", 14) || !length)
		return -1;
	body = strtoul(length + 17, NULL, 10);
	if (body > REQUEST - head)
		return -1;
	if (have < head + body)
		return 0;
	publish(fd, strtoul(topic + 6, NULL, 10), end + 4, body);
	return head + body;
}

/* Reads requests; what is left of one waits for its rest. */
static void hear(int fd)
{
	static char buffer[REQUEST + 1];
	struct connection *c = &connections[fd];
	size_t have = c->have, at = 0;
	ssize_t got;
	long used = 0;

	if (have)
		memcpy(buffer, c->in, have);
	got = recv(fd, buffer + have, REQUEST - have, MSG_DONTWAIT);
	if (got < 0 && errno == EAGAIN)
		return; /* meant for a connection that had this descriptor before */
	if (got <= 0) {
		drop(fd);
		return;
	}
	have += got;
	buffer[have] = 0;
	while (at < have && !c->listens && (used = serve(fd, buffer + at, have - at)) > 0)
		at += used;
	if (used < 0) {
		drop(fd);
		return;
	}
	c->have = c->listens ? 0 : have - at;
	if (c->have) {
		c->in = grow(c->in, REQUEST);
		memcpy(c->in, buffer + at, c->have);
	}
}

int main(int argc, char **argv)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct rlimit files;
	struct epoll_event events[BATCH], e = { .events = EPOLLIN };
	int one = 1, listener = socket(AF_INET, SOCK_STREAM, 0), loop = epoll_create1(0);

	if (argc != 2)
		return fprintf(stderr, "usage: floor PORT\n"), 2;
	if (!getrlimit(RLIMIT_NOFILE, &files)) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	address.sin_port = htons(atoi(argv[1]));
	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	if (bind(listener, (void *)&address, sizeof address) || listen(listener, 4096))
		fail("listen");
	e.data.fd = listener;
	if (epoll_ctl(loop, EPOLL_CTL_ADD, listener, &e))
		fail("epoll");
	for (;;) {
		int n = epoll_wait(loop, events, BATCH, -1);
		for (int i = 0; i < n; i++) {
			int fd = events[i].data.fd;
			if (fd != listener) {
				hear(fd);
				continue;
			}
			if ((fd = accept(listener, NULL, NULL)) < 0)
				continue;
			if (fd >= CONNECTIONS) {
				close(fd);
				continue;
			}
			setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
			e.data.fd = fd;
			epoll_ctl(loop, EPOLL_CTL_ADD, fd, &e);
		}
	}
}
