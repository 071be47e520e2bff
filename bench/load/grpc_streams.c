/* Calls of gRPC that are streams of small messages: the two ends of the benchmark, over HTTP/2 without TLS. Each message is a frame of DATA.
 *
 *   grpc_streams serve PORT [PORT]
 *   grpc_streams load PORT CONNECTIONS STREAMS SECONDS down|both AUTHORITY PATH
 *
 * The server answers each message with one; where a call had only one, with 1,000. So `down` sends 1 message and gets 1,000, and `both` sends
 * 1,000 and gets 1,000. The load prints messages either way of whole calls, as `steady` does requests, and 1,000 errors for a call that
 * failed; times are of a call. Neither end decodes header blocks: what it sends is in no dynamic table, and of what it gets it counts messages.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <unistd.h>
#include "load.h"

enum {
  BATCH = 64, FD_MAX = 1024, IN_MAX = 64 * 1024, OUT_MAX = 256 * 1024, SLOTS = 4096, FRAME_MAX = 16384,
  /* A message of 13 bytes in its frame of 5. */
  MESSAGE = 18, MESSAGES = 1000, FRAME_HEAD = 9, WINDOW = 65535, CREDIT = 16 * 1024,
};
enum { DATA = 0, HEADERS = 1, RST_STREAM = 3, SETTINGS = 4, PING = 6, GOAWAY = 7, WINDOW_UPDATE = 8, CONTINUATION = 9 };
enum { END_STREAM = 1, ACK = 1, END_HEADERS = 4, PADDED = 8 };

static const double STILL_SECONDS = 0.5;

static const char PREFACE[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
static const char ANSWER[] = "\x88\x0f\x10\x10" "application/grpc";
static const char TRAILERS[] = "\x00\x0b" "grpc-status\x01" "0";

struct stream {
  uint32_t id;
  int is_open, window, unacknowledged, came, due, sent, is_ended, is_active;
  double begun;
};

struct connection {
  int fd, is_server, has_preface, in_length, out_length, out_at, window, unacknowledged, initial, wants_write, is_gone;
  uint32_t next_id;
  unsigned char in[IN_MAX], out[OUT_MAX];
  struct stream streams[SLOTS];
  /* Those with messages to send. */
  struct stream *active[SLOTS];
  int active_count;
};

static struct connection *connections[FD_MAX];
static char is_listener[FD_MAX];
static int epoll_fd;
/* Of calls. */
static struct times times;
static long long messages, errors, taken;
static int sends_all, is_over;
static unsigned char request[1024];
static int request_length;

static void watch(int fd, unsigned events, int operation) {
  struct epoll_event event = {.events = events, .data.fd = fd};
  if (fd >= FD_MAX) die("too many connections");
  fcntl(fd, F_SETFL, O_NONBLOCK);
  if (epoll_ctl(epoll_fd, operation, fd, &event) < 0) die("epoll_ctl");
}

static uint32_t number(const unsigned char *bytes) {
  return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

static int room(const struct connection *c) { return OUT_MAX - c->out_length; }

static void frame(struct connection *c, int type, int flags, uint32_t id, const void *payload, int length) {
  if (room(c) < FRAME_HEAD + length) die("out of room");
  unsigned char *to = c->out + c->out_length;
  to[0] = (unsigned char)(length >> 16);
  to[1] = (unsigned char)(length >> 8);
  to[2] = (unsigned char)length;
  to[3] = (unsigned char)type;
  to[4] = (unsigned char)flags;
  for (int i = 0; i < 4; i++) to[5 + i] = (unsigned char)(id >> (24 - 8 * i));
  memcpy(to + FRAME_HEAD, payload, (size_t)length);
  c->out_length += FRAME_HEAD + length;
}

static void credit(struct connection *c, uint32_t id, int *unacknowledged) {
  unsigned char bytes[4];
  if (*unacknowledged < CREDIT) return;
  for (int i = 0; i < 4; i++) bytes[i] = (unsigned char)(*unacknowledged >> (24 - 8 * i));
  frame(c, WINDOW_UPDATE, 0, id, bytes, 4);
  *unacknowledged = 0;
}

static void activate(struct connection *c, struct stream *s) {
  if (s->is_active) return;
  s->is_active = 1;
  c->active[c->active_count++] = s;
}

static struct stream *begin(struct connection *c, uint32_t id) {
  struct stream *s = &c->streams[(id >> 1) % SLOTS];
  if (s->is_open) die("too many streams at once");
  memset(s, 0, sizeof *s);
  s->id = id;
  s->is_open = 1;
  s->window = c->initial;
  return s;
}

static void call(struct connection *c) {
  struct stream *s = begin(c, c->next_id);
  c->next_id += 2;
  s->begun = now();
  s->due = sends_all ? MESSAGES : 1;
  frame(c, HEADERS, END_HEADERS, s->id, request, request_length);
  activate(c, s);
}

/* The other end has said all. */
static void ended(struct connection *c, struct stream *s) {
  if (c->is_server) {
    s->is_ended = 1;
    if (s->came / MESSAGE == 1) s->due = MESSAGES;
    return activate(c, s);
  }
  int us = microseconds(now() - s->begun);
  s->is_open = 0;
  /* A call that was answered before all of it was sent has failed. */
  if (s->came == MESSAGES * MESSAGE && s->sent == s->due) {
    times.count++;
    messages += MESSAGES + s->due;
    times.us[us]++;
  } else {
    errors++;
  }
  if (!is_over) call(c);
}

static void took_data(struct connection *c, struct stream *s, int length) {
  taken += length;
  c->unacknowledged += length;
  credit(c, 0, &c->unacknowledged);
  if (!s->is_open) return;
  s->unacknowledged += length;
  credit(c, s->id, &s->unacknowledged);
  s->came += length;
  if (!c->is_server) return;
  s->due = s->came / MESSAGE;
  activate(c, s);
}

static void settings(struct connection *c, const unsigned char *payload, int length) {
  for (int at = 0; at + 6 <= length; at += 6) {
    if (payload[at] != 0 || payload[at + 1] != 4) continue;
    int initial = (int)number(payload + at + 2);
    for (int i = 0; i < SLOTS; i++) c->streams[i].window += initial - c->initial;
    c->initial = initial;
  }
  frame(c, SETTINGS, ACK, 0, "", 0);
}

static void took(struct connection *c, int type, int flags, uint32_t id, unsigned char *payload, int length) {
  struct stream *s = &c->streams[(id >> 1) % SLOTS];
  int is_known = s->is_open && s->id == id;
  switch (type) {
    case HEADERS:
      if ((flags & END_HEADERS) == 0) die("CONTINUATION is not expected");
      if (c->is_server && !is_known) {
        s = begin(c, id);
        is_known = 1;
        frame(c, HEADERS, END_HEADERS, id, ANSWER, sizeof ANSWER - 1);
      }
      if (is_known && (flags & END_STREAM) != 0) ended(c, s);
      return;
    case DATA:
      if ((flags & PADDED) != 0) die("padding is not expected");
      took_data(c, is_known ? s : &(struct stream){0}, length);
      if (is_known && (flags & END_STREAM) != 0) ended(c, s);
      return;
    case RST_STREAM:
      if (!is_known) return;
      s->is_open = 0;
      errors++;
      if (!c->is_server && !is_over) call(c);
      return;
    case SETTINGS:
      if ((flags & ACK) == 0) settings(c, payload, length);
      return;
    case PING:
      if ((flags & ACK) == 0) frame(c, PING, ACK, 0, payload, length);
      return;
    case WINDOW_UPDATE:
      if (id == 0) c->window += (int)number(payload);
      else if (is_known) s->window += (int)number(payload);
      return;
    case GOAWAY:
      if (!c->is_server && number(payload + 4) != 0) c->is_gone = 1;
      return;
    default:
      return;
  }
}

/* One message of each call in turn, as far as windows and the buffer go. 1: the buffer is full. */
static int pump(struct connection *c) {
  static const char message[MESSAGE] = {0, 0, 0, 0, 13, 10, 11, 'H', 'i', ',', ' ', 'I', ' ', 'a', 'm', ' ', 'v', '!'};
  int moved = 1;
  while (moved) {
    moved = 0;
    for (int i = 0; i < c->active_count; i++) {
      struct stream *s = c->active[i];
      if (room(c) < OUT_MAX / 2) return 1;
      if (s->is_open && s->sent < s->due && s->window >= MESSAGE && c->window >= MESSAGE) {
        int is_last = !c->is_server && s->sent + 1 == s->due;
        frame(c, DATA, is_last ? END_STREAM : 0, s->id, message, MESSAGE);
        s->sent++;
        s->window -= MESSAGE;
        c->window -= MESSAGE;
        moved = 1;
      }
      if (s->is_open && s->sent < s->due) continue;
      if (c->is_server && s->is_open && s->is_ended) {
        frame(c, HEADERS, END_HEADERS | END_STREAM, s->id, TRAILERS, sizeof TRAILERS - 1);
        s->is_open = 0;
      }
      s->is_active = 0;
      c->active[i--] = c->active[--c->active_count];
    }
  }
  return 0;
}

/* 0: the connection is gone. */
static int flush(struct connection *c) {
  while (c->out_at < c->out_length) {
    ssize_t count = send(c->fd, c->out + c->out_at, (size_t)(c->out_length - c->out_at), MSG_NOSIGNAL);
    if (count < 0 && errno == EAGAIN) break;
    if (count <= 0) return 0;
    c->out_at += (int)count;
  }
  int waits = c->out_at < c->out_length;
  memmove(c->out, c->out + c->out_at, (size_t)(c->out_length - c->out_at));
  c->out_length -= c->out_at;
  c->out_at = 0;
  if (waits != c->wants_write) watch(c->fd, waits ? EPOLLIN | EPOLLOUT : EPOLLIN, EPOLL_CTL_MOD);
  c->wants_write = waits;
  return 1;
}

/* Sends what there is to send. 0: the connection is gone. */
static int go_on(struct connection *c) {
  while (pump(c)) {
    if (!flush(c)) return 0;
    if (c->wants_write) return 1;
  }
  return flush(c);
}

static int take(struct connection *c) {
  ssize_t count = read(c->fd, c->in + c->in_length, (size_t)(IN_MAX - c->in_length));
  if (count == 0 || (count < 0 && errno != EAGAIN)) return 0;
  if (count < 0) return 1;
  c->in_length += (int)count;
  int at = 0;
  if (c->is_server && !c->has_preface) {
    if (c->in_length < (int)sizeof PREFACE - 1) return 1;
    at = sizeof PREFACE - 1;
    c->has_preface = 1;
  }
  while (c->in_length - at >= FRAME_HEAD) {
    unsigned char *head = c->in + at;
    int length = head[0] << 16 | head[1] << 8 | head[2];
    if (length > FRAME_MAX) die("a frame is too long");
    if (c->in_length - at < FRAME_HEAD + length) break;
    took(c, head[3], head[4], number(head + 5) & 0x7fffffff, head + FRAME_HEAD, length);
    at += FRAME_HEAD + length;
  }
  memmove(c->in, c->in + at, (size_t)(c->in_length - at));
  c->in_length -= at;
  return !c->is_gone;
}

static struct connection *adopt(int fd, int is_server) {
  int one = 1;
  struct connection *c = calloc(1, sizeof *c);
  if (c == NULL) die("calloc");
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  c->fd = fd;
  c->is_server = is_server;
  c->window = c->initial = WINDOW;
  c->next_id = 1;
  watch(fd, EPOLLIN, EPOLL_CTL_ADD);
  connections[fd] = c;
  return c;
}

static int turn(void) {
  struct epoll_event events[BATCH];
  int lost = 0, ready = epoll_wait(epoll_fd, events, BATCH, 100);
  for (int i = 0; i < ready; i++) {
    int fd = events[i].data.fd;
    if (is_listener[fd]) {
      int client = accept(fd, NULL, NULL);
      if (client >= 0) frame(adopt(client, 1), SETTINGS, 0, 0, "", 0);
      continue;
    }
    struct connection *c = connections[fd];
    int is_there = (events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) == 0 || take(c);
    if (is_there && go_on(c)) continue;
    close(fd);
    free(c);
    connections[fd] = NULL;
    lost++;
  }
  return lost;
}

static void serve(int count, char **ports) {
  for (int i = 0; i < count; i++) {
    int listener = listen_at(ports[i]);
    watch(listener, EPOLLIN, EPOLL_CTL_ADD);
    is_listener[listener] = 1;
  }
  for (;;) turn();
}

static void literal(int name, const char *value) {
  request[request_length++] = (unsigned char)name;
  request[request_length++] = (unsigned char)strlen(value);
  memcpy(request + request_length, value, strlen(value));
  request_length += (int)strlen(value);
}

static void load(char **arguments) {
  int count = atoi(arguments[1]), streams = atoi(arguments[2]), left = count;
  sends_all = strcmp(arguments[4], "both") == 0;
  if (strlen(arguments[5]) > 126 || strlen(arguments[6]) > 126) die("AUTHORITY or PATH");
  /* Fields of HPACK's static table, or literals that are not indexed (RFC 7541, 6.2.2). */
  request[request_length++] = 0x83;
  request[request_length++] = 0x86;
  literal(0x04, arguments[6]);
  literal(0x01, arguments[5]);
  request[request_length++] = 0x0f;
  literal(0x10, "application/grpc");
  memcpy(request + request_length, "\x00\x02te\x08trailers", 13);
  request_length += 13;
  for (int i = 0; i < count; i++) {
    struct sockaddr_in address = loopback(arguments[0]);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) < 0) die("connect");
    struct connection *c = adopt(fd, 0);
    memcpy(c->out, PREFACE, sizeof PREFACE - 1);
    c->out_length = sizeof PREFACE - 1;
    frame(c, SETTINGS, 0, 0, "", 0);
    for (int k = 0; k < streams; k++) call(c);
    if (!go_on(c)) die("send");
  }
  double started = now(), end = started + atof(arguments[3]), moved_at = started;
  while (now() < end && left > 0) {
    long long before = taken;
    left -= turn();
    if (taken > before) moved_at = now();
  }
  is_over = 1;
  /* Calls that stand still have failed. */
  if (now() - moved_at > STILL_SECONDS) errors += (long long)left * streams;
  report(&times, messages, now() - started, (errors + (long long)(count - left) * streams) * MESSAGES);
}

int main(int count, char **arguments) {
  epoll_fd = epoll_create1(0);
  if (count >= 3 && strcmp(arguments[1], "serve") == 0) {
    serve(count - 2, arguments + 2);
  } else if (count == 9 && strcmp(arguments[1], "load") == 0) {
    load(arguments + 2);
    return 0;
  }
  fprintf(stderr, "usage: grpc_streams serve PORT [PORT]\n");
  fprintf(stderr, "       grpc_streams load PORT CONNECTIONS STREAMS SECONDS down|both AUTHORITY PATH\n");
  return 2;
}
