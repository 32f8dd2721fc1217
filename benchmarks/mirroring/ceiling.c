/* The least that moving bytes through user space costs: recv from one socket, send to another, and nothing else.

   ceiling SOURCE_PORT SINK_PORT BYTES PATH...
   copies each PATH, of BYTES bytes, from http://127.0.0.1:SOURCE_PORT/PATH to http://127.0.0.1:SINK_PORT/raw/PATH. */

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PIECE (1 << 20)

static char piece[PIECE];

static void die(const char *what) {
    perror(what);
    exit(1);
}

static int reach(int port) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int s = socket(AF_INET, SOCK_STREAM, 0), one = 1;
    if (s < 0 || connect(s, (struct sockaddr *)&address, sizeof address)) die("connect");
    setsockopt(s, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    return s;
}

static void send_all(int s, const char *data, size_t length) {
    while (length) {
        ssize_t sent = send(s, data, length, 0);
        if (sent <= 0) die("send");
        data += sent, length -= sent;
    }
}

/* Reads a response's head; what of the body came with it is left at the start of `piece`. Returns its length. */
static size_t read_head(int s) {
    size_t have = 0;
    for (;;) {
        ssize_t got = recv(s, piece + have, PIECE - 1 - have, 0);
        if (got <= 0) die("recv");
        have += got;
        piece[have] = 0;
        char *end = strstr(piece, "\r\n\r\n");
        if (end) {
            size_t head = end + 4 - piece;
            memmove(piece, piece + head, have - head);
            return have - head;
        }
    }
}

static void copy(int source, int sink, long long length, const char *path) {
    char head[512];
    int n = snprintf(head, sizeof head, "GET /%s HTTP/1.1\r\nHost: x\r\n\r\n", path);
    send_all(source, head, n);
    n = snprintf(head, sizeof head, "PUT /raw/%s HTTP/1.1\r\nHost: x\r\nContent-Length: %lld\r\n\r\n", path, length);
    send_all(sink, head, n);
    ssize_t got = read_head(source);
    for (;;) {
        send_all(sink, piece, got);
        if ((length -= got) <= 0) break;
        if ((got = recv(source, piece, PIECE, 0)) <= 0) die("recv");
    }
    read_head(sink);
}

int main(int argc, char **argv) {
    int source = reach(atoi(argv[1])), sink = reach(atoi(argv[2]));
    for (int i = 4; i < argc; i++) copy(source, sink, atoll(argv[3]), argv[i]);
    return 0;
}
