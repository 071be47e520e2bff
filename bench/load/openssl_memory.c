/*
 * What OpenSSL holds for one idle server connection under TLS 1.3, by its own allocations: total, and by the line of OpenSSL that made
 * them. Set up as the native driver does (proxy/io/openssl_context.ts). `openssl_memory CHAIN KEY one-way|mutual`; link with -lssl -lcrypto.
 */
#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define CONNECTIONS 200
#define WARM_UP 20
#define PLACES_MAX 4096
#define PLACES_SHOWN 12

struct place {
  const char *file;
  int line;
  long bytes;
  long count;
};

/* Before every block that OpenSSL is given. */
struct block {
  size_t size;
  struct place *place;
};

static struct place places[PLACES_MAX];
static int place_count;
/* Null while it is the client's turn, or the contexts': those are not counted. */
static int is_server;

static struct place *place_of(const char *file, int line) {
  for (int i = 0; i < place_count; i++)
    if (places[i].line == line && places[i].file == file) return &places[i];
  if (place_count == PLACES_MAX) abort();
  places[place_count].file = file;
  places[place_count].line = line;
  return &places[place_count++];
}

/* As malloc of glibc rounds: a header of 8 bytes, then to a multiple of 16. */
static void count(struct block *block, int sign) {
  if (block->place == NULL) return;
  block->place->bytes += sign * (long)((block->size + 8 + 15) / 16 * 16);
  block->place->count += sign;
}

static void *take(size_t size, const char *file, int line) {
  struct block *block = malloc(sizeof(struct block) + size);
  if (block == NULL) return NULL;
  block->size = size;
  block->place = is_server ? place_of(file, line) : NULL;
  count(block, 1);
  return block + 1;
}

static void give(void *memory, const char *file, int line) {
  (void)file, (void)line;
  if (memory == NULL) return;
  count((struct block *)memory - 1, -1);
  free((struct block *)memory - 1);
}

static void *resize(void *memory, size_t size, const char *file, int line) {
  if (memory == NULL) return take(size, file, line);
  if (size == 0) return give(memory, file, line), NULL;
  struct block *block = (struct block *)memory - 1;
  count(block, -1);
  block = realloc(block, sizeof(struct block) + size);
  if (block == NULL) abort();
  block->size = size;
  count(block, 1);
  return block + 1;
}

static int by_bytes(const void *one, const void *other) {
  long difference = ((struct place *)other)->bytes - ((struct place *)one)->bytes;
  return difference > 0 ? 1 : difference < 0 ? -1 : 0;
}

static void fail(void) {
  ERR_print_errors_fp(stderr);
  exit(1);
}

static SSL_CTX *context(const SSL_METHOD *method, char **files) {
  SSL_CTX *made = SSL_CTX_new(method);
  if (SSL_CTX_use_certificate_chain_file(made, files[0]) != 1) fail();
  if (SSL_CTX_use_PrivateKey_file(made, files[1], SSL_FILETYPE_PEM) != 1) fail();
  SSL_CTX_set_mode(made, SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_read_ahead(made, 1);
  SSL_CTX_set_num_tickets(made, 1);
  return made;
}

/* A connection on which nothing happens any more. */
static void connection(SSL_CTX *server, SSL_CTX *client, int is_kept) {
  int ends[2];
  char message[64];
  if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0) abort();
  for (int i = 0; i < 2; i++) fcntl(ends[i], F_SETFL, O_NONBLOCK);
  is_server = 1;
  SSL *accepted = SSL_new(server);
  SSL_set_fd(accepted, ends[0]);
  SSL_set_accept_state(accepted);
  is_server = 0;
  SSL *connected = SSL_new(client);
  SSL_set_fd(connected, ends[1]);
  SSL_set_connect_state(connected);
  for (int i = 0; i < 4; i++) {
    SSL_do_handshake(connected);
    is_server = 1;
    SSL_do_handshake(accepted);
    is_server = 0;
  }
  if (SSL_write(connected, "question", 8) != 8) fail();
  is_server = 1;
  if (SSL_read(accepted, message, sizeof message) != 8) fail();
  if (SSL_read(accepted, message, sizeof message) > 0) fail();
  if (SSL_write(accepted, "answer", 6) != 6) fail();
  is_server = 0;
  if (is_kept) return;
  SSL_free(accepted);
  SSL_free(connected);
  for (int i = 0; i < 2; i++) close(ends[i]);
}

int main(int argc, char **argv) {
  if (argc != 4) return fputs("openssl_memory CHAIN KEY one-way|mutual\n", stderr), 2;
  CRYPTO_set_mem_functions(take, resize, give);
  SSL_CTX *server = context(TLS_server_method(), argv + 1);
  SSL_CTX *client = context(TLS_client_method(), argv + 1);
  if (strcmp(argv[3], "mutual") == 0) {
    SSL_CTX_load_verify_locations(server, argv[1], NULL);
    SSL_CTX_set_session_id_context(server, (const unsigned char *)"weft", 4);
    SSL_CTX_set_verify(server, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
  }
  for (int i = 0; i < WARM_UP; i++) connection(server, client, 0);
  for (int i = 0; i < place_count; i++) places[i].bytes = places[i].count = 0;
  for (int i = 0; i < CONNECTIONS; i++) connection(server, client, 1);
  qsort(places, place_count, sizeof places[0], by_bytes);
  long bytes = 0, blocks = 0;
  for (int i = 0; i < place_count; i++) bytes += places[i].bytes, blocks += places[i].count;
  printf("%ld bytes in %ld blocks a connection, %s\n", bytes / CONNECTIONS, blocks / CONNECTIONS,
         OpenSSL_version(OPENSSL_VERSION));
  for (int i = 0; i < PLACES_SHOWN && i < place_count; i++)
    printf("%6ld %s:%d\n", places[i].bytes / CONNECTIONS, places[i].file, places[i].line);
  return 0;
}
