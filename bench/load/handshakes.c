/* New connections with TLS 1.3, full or resumed, each with one request and its answer.
 *
 *   handshakes PORT CLIENTS SECONDS full|resumed AUTHORITY PATH        link with -lssl -lcrypto
 *
 * Clients are processes. Prints a line as `steady` does; times are of a connection from its opening to its end.
 */
#define _GNU_SOURCE
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include "load.h"

/* What all clients count together. */
struct counts {
  long long errors;
  struct times times;
};

static struct counts *counts;
/* The newest that a server gave. */
static SSL_SESSION *session;

static int keep(SSL *ssl, SSL_SESSION *given) {
  (void)ssl;
  if (session != NULL) SSL_SESSION_free(session);
  session = given;
  return 1;
}

static int connect_to(const char *port) {
  struct sockaddr_in address = loopback(port);
  struct timeval limit = {5, 0};
  int one = 1, fd = socket(AF_INET, SOCK_STREAM, 0);
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0) return fd;
  close(fd);
  return -1;
}

/* 1: a whole answer came over a connection of the kind that is wanted. */
static int exchange(SSL_CTX *context, const char *port, const char *request, int resumes) {
  char answer[4096];
  int fd = connect_to(port), good = 0, had = resumes && session != NULL;
  if (fd < 0) return 0;
  SSL *ssl = SSL_new(context);
  SSL_set_fd(ssl, fd);
  if (had) SSL_set_session(ssl, session);
  if (SSL_connect(ssl) == 1 && SSL_session_reused(ssl) == had &&
      SSL_write(ssl, request, (int)strlen(request)) > 0) {
    int count, first = 1;
    while ((count = SSL_read(ssl, answer, sizeof answer - 1)) > 0) {
      answer[count] = 0;
      if (first) good = strncmp(answer, "HTTP/1.1 200", 12) == 0;
      first = 0;
    }
  }
  SSL_shutdown(ssl);
  SSL_free(ssl);
  close(fd);
  return good;
}

static void client(char **arguments) {
  char request[1024];
  int resumes = strcmp(arguments[3], "resumed") == 0;
  SSL_CTX *context = SSL_CTX_new(TLS_client_method());
  SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
  SSL_CTX_sess_set_new_cb(context, keep);
  snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", arguments[5],
           arguments[4]);
  if (resumes && !exchange(context, arguments[0], request, 1)) __sync_fetch_and_add(&counts->errors, 1);
  for (double at = now(), end = at + atof(arguments[2]); at < end;) {
    int good = exchange(context, arguments[0], request, resumes);
    double ended = now();
    int us = microseconds(ended - at);
    at = ended;
    if (good) {
      __sync_fetch_and_add(&counts->times.count, 1);
      __sync_fetch_and_add(&counts->times.us[us], 1);
    } else {
      __sync_fetch_and_add(&counts->errors, 1);
    }
  }
}

int main(int count, char **arguments) {
  if (count != 7) {
    fprintf(stderr, "usage: handshakes PORT CLIENTS SECONDS full|resumed AUTHORITY PATH\n");
    return 2;
  }
  signal(SIGPIPE, SIG_IGN);
  counts = mmap(NULL, sizeof *counts, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (counts == MAP_FAILED) return 1;
  double started = now();
  for (int i = atoi(arguments[2]); i > 0; i--) {
    if (fork() == 0) {
      client(arguments + 1);
      _exit(0);
    }
  }
  while (wait(NULL) > 0) {
  }
  report(&counts->times, counts->times.count, now() - started, counts->errors);
  return 0;
}
