/* The floor: one epoll loop that copies bytes between a client and its own connection to one origin, with no
 * parsing, no routing, no pool. No proxy that reads requests can cost less than this on the same kernel.
 *
 *   raw_relay LISTEN_PORT ORIGIN_PORT     (both on 127.0.0.1)
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { FD_MAX = 4096, BATCH = 256, BUFFER = 64 * 1024 };

static int peer_of[FD_MAX]; /* 0: none. File descriptor 0 is standard input, never a socket here. */

static void die(const char *what) {
  perror(what);
  exit(1);
}

static struct sockaddr_in loopback(int port) {
  struct sockaddr_in address;
  memset(&address, 0, sizeof address);
  address.sin_family = AF_INET;
  address.sin_port = htons((unsigned short)port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

static void watch(int epoll, int fd) {
  struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
  int one = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) < 0) die("epoll_ctl");
}

static void pair_up(int epoll, int client, int origin_port) {
  struct sockaddr_in address = loopback(origin_port);
  int origin = socket(AF_INET, SOCK_STREAM, 0);
  if (origin < 0 || origin >= FD_MAX || client >= FD_MAX ||
      connect(origin, (struct sockaddr *)&address, sizeof address) < 0) {
    close(client);
    if (origin >= 0) close(origin);
    return;
  }
  peer_of[client] = origin;
  peer_of[origin] = client;
  watch(epoll, client);
  watch(epoll, origin);
}

static void hang_up(int fd) {
  int peer = peer_of[fd];
  peer_of[fd] = peer_of[peer] = 0;
  close(fd);
  close(peer);
}

/* Both sockets block on write: a full peer stops the loop, which the small answers of the benchmark never cause. */
static void copy(int fd, char *buffer) {
  ssize_t length = read(fd, buffer, BUFFER);
  if (length <= 0) {
    hang_up(fd);
    return;
  }
  for (ssize_t sent = 0; sent < length;) {
    ssize_t n = write(peer_of[fd], buffer + sent, (size_t)(length - sent));
    if (n < 0) {
      hang_up(fd);
      return;
    }
    sent += n;
  }
}

int main(int count, char **arguments) {
  static char buffer[BUFFER];
  struct epoll_event events[BATCH];
  int one = 1;
  if (count != 3) {
    fprintf(stderr, "usage: raw_relay LISTEN_PORT ORIGIN_PORT\n");
    return 2;
  }
  int origin_port = atoi(arguments[2]);
  struct sockaddr_in address = loopback(atoi(arguments[1]));
  int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  if (bind(listener, (struct sockaddr *)&address, sizeof address) < 0) die("bind");
  if (listen(listener, 1024) < 0) die("listen");
  int epoll = epoll_create1(0);
  watch(epoll, listener);

  for (;;) {
    int ready = epoll_wait(epoll, events, BATCH, -1);
    if (ready < 0 && errno != EINTR) die("epoll_wait");
    for (int i = 0; i < ready; i++) {
      int fd = events[i].data.fd;
      if (fd == listener) {
        int client;
        while ((client = accept(listener, NULL, NULL)) >= 0) pair_up(epoll, client, origin_port);
      } else if (peer_of[fd] != 0) {
        copy(fd, buffer);
      }
    }
  }
}
