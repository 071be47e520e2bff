/* Bytes for ever, one way: the two ends of the benchmark of relayed TCP. The client's first byte says which way.
 *
 *   stream serve PORT [PORT]                                  listens on 127.0.0.1; `d`: sends, `u`: takes
 *   stream load PORT CONNECTIONS SECONDS d|u [AUTHORITY]      prints bytes and seconds; AUTHORITY: asks by CONNECT first
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sys/epoll.h>
#include <unistd.h>
#include "load.h"

enum { BATCH = 64, BUFFER = 64 * 1024, FD_MAX = 4096 };

static char buffer[BUFFER];
static char is_listener[FD_MAX];

static void watch(int epoll, int fd, unsigned events, int operation) {
  struct epoll_event event = {.events = events, .data.fd = fd};
  if (fd >= FD_MAX) die("too many connections");
  fcntl(fd, F_SETFL, O_NONBLOCK);
  if (epoll_ctl(epoll, operation, fd, &event) < 0) die("epoll_ctl");
}

/* Bytes moved; 0 where it would block; -1 at the end of the connection. */
static ssize_t move(int fd, int writes) {
  ssize_t count = writes ? send(fd, buffer, BUFFER, MSG_NOSIGNAL) : read(fd, buffer, BUFFER);
  if (count > 0) return count;
  return count < 0 && errno == EAGAIN ? 0 : -1;
}

static void serve(int count, char **ports) {
  struct epoll_event events[BATCH];
  int epoll = epoll_create1(0);
  for (int i = 0; i < count; i++) {
    int listener = listen_at(ports[i]);
    watch(epoll, listener, EPOLLIN, EPOLL_CTL_ADD);
    is_listener[listener] = 1;
  }
  for (;;) {
    int ready = epoll_wait(epoll, events, BATCH, -1);
    for (int i = 0; i < ready; i++) {
      int fd = events[i].data.fd;
      if (is_listener[fd]) {
        int client = accept(fd, NULL, NULL);
        if (client >= 0) watch(epoll, client, EPOLLIN, EPOLL_CTL_ADD);
        continue;
      }
      int writes = (events[i].events & EPOLLOUT) != 0;
      ssize_t moved = move(fd, writes);
      if (moved < 0) close(fd);
      else if (!writes && moved > 0 && buffer[0] == 'd') watch(epoll, fd, EPOLLOUT, EPOLL_CTL_MOD);
      buffer[0] = 0;
    }
  }
}

static int open_connection(const char *port, char way, const char *authority) {
  struct sockaddr_in address = loopback(port);
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  if (connect(fd, (struct sockaddr *)&address, sizeof address) < 0) die("connect");
  if (authority != NULL) {
    char text[512];
    int length = snprintf(text, sizeof text, "CONNECT %s HTTP/1.1\r\nHost: %s\r\n\r\n", authority, authority);
    if (write(fd, text, (size_t)length) != length) die("CONNECT");
    /* The answer has no body and nothing comes after it before our first byte. */
    length = (int)read(fd, text, sizeof text - 1);
    text[length < 0 ? 0 : length] = 0;
    if (strncmp(text, "HTTP/1.1 200", 12) != 0) die(text);
  }
  if (write(fd, &way, 1) != 1) die("write");
  return fd;
}

static void load(char **arguments, const char *authority) {
  struct epoll_event events[BATCH];
  int epoll = epoll_create1(0), connections = atoi(arguments[1]);
  char way = arguments[3][0];
  for (int i = 0; i < connections; i++) {
    int fd = open_connection(arguments[0], way, authority);
    watch(epoll, fd, way == 'u' ? EPOLLOUT : EPOLLIN, EPOLL_CTL_ADD);
  }
  double started = now(), end = started + atof(arguments[2]);
  long long bytes = 0;
  int lost = 0;
  while (now() < end && lost < connections) {
    int ready = epoll_wait(epoll, events, BATCH, 100);
    for (int i = 0; i < ready; i++) {
      ssize_t moved = move(events[i].data.fd, way == 'u');
      if (moved > 0) bytes += moved;
      if (moved < 0) {
        close(events[i].data.fd);
        lost++;
      }
    }
  }
  printf("bytes %lld seconds %.3f lost %d\n", bytes, now() - started, lost);
}

int main(int count, char **arguments) {
  if (count >= 3 && strcmp(arguments[1], "serve") == 0) {
    serve(count - 2, arguments + 2);
  } else if ((count == 6 || count == 7) && strcmp(arguments[1], "load") == 0) {
    load(arguments + 2, count == 7 ? arguments[6] : NULL);
    return 0;
  }
  fprintf(stderr, "usage: stream serve PORT [PORT]\n");
  fprintf(stderr, "       stream load PORT CONNECTIONS SECONDS d|u [AUTHORITY]\n");
  return 2;
}
