/* What the loads of this folder share: addresses of loopback, a clock, and times counted by the microsecond. */
#ifndef LOAD_H
#define LOAD_H
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

/* Longer times count as this. */
enum { US_MAX = 10000000 };

/* So many of each length, and in all. */
struct times {
  long long count;
  unsigned us[US_MAX + 1];
};

static inline void die(const char *what) {
  perror(what);
  exit(1);
}

static inline double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static inline struct sockaddr_in loopback(const char *port) {
  struct sockaddr_in address;
  memset(&address, 0, sizeof address);
  address.sin_family = AF_INET;
  address.sin_port = htons((unsigned short)atoi(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

static inline int listen_at(const char *port) {
  struct sockaddr_in address = loopback(port);
  int listener = socket(AF_INET, SOCK_STREAM, 0), one = 1;
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  if (bind(listener, (struct sockaddr *)&address, sizeof address) < 0) die("bind");
  if (listen(listener, 4096) < 0) die("listen");
  return listener;
}

static inline int microseconds(double seconds) {
  double us = seconds * 1e6;
  return us < US_MAX ? (int)us : US_MAX;
}

static inline int percentile(const struct times *times, double share) {
  long long seen = 0;
  for (int us = 0; us <= US_MAX; us++) {
    seen += times->us[us];
    if ((double)seen >= share * (double)times->count) return us;
  }
  return US_MAX;
}

/* The line that `parseSteady` of `outputs.ts` reads. */
static inline void report(const struct times *times, long long answered, double seconds, long long errors) {
  printf("answered %lld seconds %.3f errors %lld p50 %d p99 %d p99.9 %d\n", answered, seconds, errors,
         percentile(times, 0.5), percentile(times, 0.99), percentile(times, 0.999));
}

#endif
