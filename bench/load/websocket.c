/* Messages of WebSocket, 100 bytes each, to a server that answers each with one as long: the two ends of the benchmark.
 *
 *   websocket serve PORT [PORT]                                       listens on 127.0.0.1
 *   websocket load PORT CONNECTIONS SECONDS AUTHORITY PATH            one message under way on each connection
 *
 * The load prints a line as `steady` does; times are of a message and its answer. Both ends use one key, so that its answer is known.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>
#include "load.h"

/* A client's frame has a mask of four bytes (RFC 6455, 5.2). */
enum { BATCH = 256, FD_MAX = 8192, TO_SERVER = 106, TO_CLIENT = 102, HEAD_MAX = 4096 };

#define KEY "dGhlIHNhbXBsZSBub25jZQ=="
#define ACCEPT "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="

static char is_listener[FD_MAX], is_open[FD_MAX];
/* Bytes of the message that has not come whole. */
static int partial[FD_MAX];
static double sent_at[FD_MAX];
static struct times times;
static char buffer[64 * TO_SERVER], answers[64 * TO_CLIENT];

static void watch(int epoll, int fd) {
  struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
  int one = 1;
  if (fd >= FD_MAX) die("too many connections");
  fcntl(fd, F_SETFL, O_NONBLOCK);
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) < 0) die("epoll_ctl");
}

/* All of a frame or nothing: no more than one a connection is on its way. */
static int put(int fd, const char *bytes, int length) {
  return send(fd, bytes, (size_t)length, MSG_NOSIGNAL) == length;
}

static int answer(int fd) {
  static const char opened[] = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                               "Sec-WebSocket-Accept: " ACCEPT "\r\n\r\n";
  ssize_t count = read(fd, buffer, sizeof buffer);
  if (count < 0 && errno == EAGAIN) return 1;
  if (count <= 0) return 0;
  if (!is_open[fd]) {
    /* Heads come in one piece, and nothing comes behind one before it is answered. */
    is_open[fd] = 1;
    return put(fd, opened, sizeof opened - 1);
  }
  partial[fd] += (int)count;
  int whole = partial[fd] / TO_SERVER;
  partial[fd] %= TO_SERVER;
  return whole == 0 || put(fd, answers, whole * TO_CLIENT);
}

static void serve(int count, char **ports) {
  struct epoll_event events[BATCH];
  int epoll = epoll_create1(0);
  for (int i = 0; i < 64; i++) {
    answers[i * TO_CLIENT] = (char)0x82;
    answers[i * TO_CLIENT + 1] = 100;
  }
  for (int i = 0; i < count; i++) {
    int listener = listen_at(ports[i]);
    watch(epoll, listener);
    is_listener[listener] = 1;
  }
  for (;;) {
    int ready = epoll_wait(epoll, events, BATCH, -1);
    for (int i = 0; i < ready; i++) {
      int fd = events[i].data.fd;
      if (is_listener[fd]) {
        int client = accept(fd, NULL, NULL);
        if (client < 0) continue;
        watch(epoll, client);
        is_open[client] = 0;
        partial[client] = 0;
      } else if (!answer(fd)) {
        close(fd);
      }
    }
  }
}

static int open_connection(const char *port, const char *authority, const char *path) {
  struct sockaddr_in address = loopback(port);
  char head[HEAD_MAX];
  int fd = socket(AF_INET, SOCK_STREAM, 0), length = 0;
  if (connect(fd, (struct sockaddr *)&address, sizeof address) < 0) die("connect");
  int asked = snprintf(head, sizeof head,
                       "GET %s HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                       "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " KEY "\r\n\r\n",
                       path, authority);
  if (write(fd, head, (size_t)asked) != asked) die("write");
  do {
    ssize_t count = read(fd, head + length, sizeof head - 1 - (size_t)length);
    if (count <= 0) die("no answer to the upgrade");
    length += (int)count;
    head[length] = 0;
  } while (strstr(head, "\r\n\r\n") == NULL && length < HEAD_MAX - 1);
  if (strncmp(head, "HTTP/1.1 101", 12) != 0) {
    fprintf(stderr, "%s\n", head);
    exit(1);
  }
  return fd;
}

static void load(char **arguments) {
  struct epoll_event events[BATCH];
  char message[TO_SERVER] = {(char)0x82, (char)(0x80 | 100)};
  int epoll = epoll_create1(0), connections = atoi(arguments[1]), lost = 0;
  int *fds = calloc((size_t)connections, sizeof *fds);
  for (int i = 0; i < connections; i++) {
    fds[i] = open_connection(arguments[0], arguments[3], arguments[4]);
    watch(epoll, fds[i]);
  }
  double started = now(), end = started + atof(arguments[2]);
  for (int i = 0; i < connections; i++) {
    sent_at[fds[i]] = now();
    if (!put(fds[i], message, TO_SERVER)) die("send");
  }
  while (now() < end && lost < connections) {
    int ready = epoll_wait(epoll, events, BATCH, 100);
    for (int i = 0; i < ready; i++) {
      int fd = events[i].data.fd;
      ssize_t count = read(fd, buffer, sizeof buffer);
      if (count < 0 && errno == EAGAIN) continue;
      if (count <= 0) {
        close(fd);
        lost++;
        continue;
      }
      partial[fd] += (int)count;
      if (partial[fd] < TO_CLIENT) continue;
      partial[fd] -= TO_CLIENT;
      double at = now();
      times.us[microseconds(at - sent_at[fd])]++;
      times.count++;
      sent_at[fd] = at;
      if (!put(fd, message, TO_SERVER)) lost++;
    }
  }
  report(&times, times.count, now() - started, lost);
}

int main(int count, char **arguments) {
  struct rlimit files = {FD_MAX, FD_MAX};
  setrlimit(RLIMIT_NOFILE, &files);
  if (count >= 3 && strcmp(arguments[1], "serve") == 0) {
    serve(count - 2, arguments + 2);
  } else if (count == 7 && strcmp(arguments[1], "load") == 0) {
    load(arguments + 2);
    return 0;
  }
  fprintf(stderr, "usage: websocket serve PORT [PORT]\n");
  fprintf(stderr, "       websocket load PORT CONNECTIONS SECONDS AUTHORITY PATH\n");
  return 2;
}
