/* Requests of HTTP/1.1 at a steady rate: how long each takes from when it was due, also where it had to wait for a connection because an
 * answer before it was late. A generator that sends the next request after the last answer never sees that.
 *
 *   steady PORT CONNECTIONS RATE SECONDS HOST PATH     prints counts, and percentiles in microseconds
 *
 * Answers must have a Content-Length.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <netinet/tcp.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/timerfd.h>
#include <unistd.h>
#include "load.h"

enum { BATCH = 64, ANSWER_MAX = 16 * 1024, CONNECTIONS_MAX = 4096, LATE_MAX = 1 << 20 };
static const double LAST_ANSWERS_SECONDS = 2;

struct connection {
  int fd;
  int used;
  double due;
  char answer[ANSWER_MAX + 1];
};

static struct connection connections[CONNECTIONS_MAX];
static struct connection *idle[CONNECTIONS_MAX];
static int idle_count;
/* When the requests were due that wait for a connection: a ring. */
static double late[LATE_MAX];
static unsigned late_first, late_end;
static struct times times;
static long errors, under_way;
static char request[2048];
static int request_length, epoll;
static struct sockaddr_in address;

static void open_connection(struct connection *connection) {
  int one = 1;
  connection->fd = socket(AF_INET, SOCK_STREAM, 0);
  if (connect(connection->fd, (struct sockaddr *)&address, sizeof address) < 0) die("connect");
  setsockopt(connection->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = connection};
  if (epoll_ctl(epoll, EPOLL_CTL_ADD, connection->fd, &event) < 0) die("epoll_ctl");
  idle[idle_count++] = connection;
}

static void send_due(void) {
  while (late_first != late_end && idle_count > 0) {
    struct connection *connection = idle[--idle_count];
    connection->due = late[late_first++ % LATE_MAX];
    connection->used = 0;
    under_way++;
    if (send(connection->fd, request, (size_t)request_length, MSG_NOSIGNAL) != request_length) errors++;
  }
}

/* Length of the whole answer; 0 where its head has not all come. */
static long length_of(const char *answer) {
  const char *end = strstr(answer, "\r\n\r\n");
  if (end == NULL) return 0;
  const char *line = strcasestr(answer, "\r\ncontent-length:");
  return end + 4 - answer + (line != NULL && line < end ? atol(line + 17) : 0);
}

static void lose(struct connection *connection) {
  if (connection->due > 0) {
    errors++;
    under_way--;
  }
  for (int i = 0; i < idle_count; i++) {
    if (idle[i] == connection) idle[i--] = idle[--idle_count];
  }
  connection->due = 0;
  close(connection->fd);
  open_connection(connection);
}

static void receive(struct connection *connection) {
  ssize_t count = recv(connection->fd, connection->answer + connection->used, (size_t)(ANSWER_MAX - connection->used), MSG_DONTWAIT);
  if (count < 0 && errno == EAGAIN) return;
  if (count <= 0 || connection->due == 0) return lose(connection);
  connection->used += (int)count;
  connection->answer[connection->used] = 0;
  long length = length_of(connection->answer);
  if (length == 0 || connection->used < length) return;
  times.us[microseconds(now() - connection->due)]++;
  times.count++;
  under_way--;
  if (strncmp(connection->answer + 8, " 2", 2) != 0) errors++;
  connection->due = 0;
  idle[idle_count++] = connection;
}

static void wake_at(int timer, double at) {
  struct itimerspec when = {.it_value = {.tv_sec = (time_t)at, .tv_nsec = (long)((at - (double)(time_t)at) * 1e9)}};
  timerfd_settime(timer, TFD_TIMER_ABSTIME, &when, NULL);
}

int main(int count, char **arguments) {
  if (count != 7) {
    fprintf(stderr, "usage: steady PORT CONNECTIONS RATE SECONDS HOST PATH\n");
    return 2;
  }
  int wanted = atoi(arguments[2]);
  double interval = 1 / atof(arguments[3]), seconds = atof(arguments[4]);
  if (wanted < 1 || wanted > CONNECTIONS_MAX) die("CONNECTIONS");
  prctl(PR_SET_TIMERSLACK, 1);
  address = loopback(arguments[1]);
  request_length = snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: %s\r\n\r\n", arguments[6], arguments[5]);
  epoll = epoll_create1(0);
  for (int i = 0; i < wanted; i++) open_connection(&connections[i]);
  int timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
  struct epoll_event of_timer = {.events = EPOLLIN, .data.ptr = NULL};
  if (epoll_ctl(epoll, EPOLL_CTL_ADD, timer, &of_timer) < 0) die("epoll_ctl");
  double started = now(), due = started, end = started + seconds, last = end + LAST_ANSWERS_SECONDS;
  struct epoll_event events[BATCH];
  for (;;) {
    double time = now();
    for (; due <= time && due < end; due += interval) {
      if (late_end - late_first == LATE_MAX) errors++;
      else late[late_end++ % LATE_MAX] = due;
    }
    send_due();
    int is_over = due >= end;
    if (is_over && under_way == 0 && late_first == late_end) break;
    if (time >= last) break;
    wake_at(timer, is_over ? last : due);
    int ready = epoll_wait(epoll, events, BATCH, -1);
    for (int i = 0; i < ready; i++) {
      if (events[i].data.ptr == NULL) {
        unsigned long long times;
        if (read(timer, &times, sizeof times) < 0 && errno != EAGAIN) die("timer");
      } else {
        receive(events[i].data.ptr);
      }
    }
  }
  errors += under_way + (late_end - late_first);
  report(&times, times.count, now() - started, errors);
  return 0;
}
