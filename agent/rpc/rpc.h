/* gRPC for the rest of the program: one pump thread drives the core's completion queue for the
 * server and all client calls. The only folder that sees the gRPC core.
 * Rules of the core: see the design notes in pump.c. */
#ifndef VTAGENT_RPC_RPC_H
#define VTAGENT_RPC_RPC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <protobuf-c/protobuf-c.h>

#include "agent/base/cancel.h"
#include "agent/base/error.h"

/* ---- The pump: start once, before server and clients; stop last. ---- */
struct rpc_pump;
struct error *rpc_pump_start(struct rpc_pump **ret_pump) ERROR_MUST_CHECK;
void rpc_pump_stop(struct rpc_pump *pump);

/* ---- TLS and credentials, shared by server and clients. Empty paths: plaintext. Unix sockets are
 * always plaintext. Files are read again when they change: by a server for the next connection, by
 * a channel for the next call. ---- */
struct rpc_tls {
    char *certificate_file, *key_file, *ca_file, *server_name;
    char *crl_file; /* with ca_file: revoked certificates of the other side. A server looks at each
                       call, so also at those on connections that were open before. */
    bool requires_client_certificate; /* server side, with ca_file */
    bool is_enabled; /* client: TLS even without files, with the system's roots (https://) */
};
struct rpc_static_auth {
    char *users_file;  /* server: JSON [{"Username","Password"}], re-read when it changes */
    char *client_file; /* client: JSON {"Username","Password"} */
};

/* ---- Server ---- */
struct rpc_server;
struct rpc_call; /* one server call; reference-counted; functions below: any thread */

typedef void (*rpc_handler)(struct rpc_call *call, const ProtobufCMessage *request, void *data);
struct rpc_method {
    const char *path; /* "/tabletmanagerservice.TabletManager/Ping" */
    const ProtobufCMessageDescriptor *request, *response;
    rpc_handler handler; /* called on the pump thread: must only hand over (worker_submit) */
    void *data;
    bool is_stream; /* server streaming */
    /* The handler finishes the call before it returns, on the pump thread, and does nothing slow
     * (Ping). Its rpc_call_cancel() is NULL. */
    bool is_inline;
};
struct rpc_server_options {
    const char *const *addresses;     /* "0.0.0.0:15999", "unix:/path"; NULL-terminated */
    const struct rpc_method *methods; /* copied; paths and descriptors are borrowed */
    size_t method_count;
    struct rpc_tls tls;          /* copied */
    struct rpc_static_auth auth; /* copied */
    /* "a:b": calls need a client certificate whose subject, or that of one it was sent with, as Go
     * prints it, has a or b in it; "" is in all. NULL: no such rule. Copied. */
    const char *allowed_subjects;
    int64_t max_message_bytes;   /* 0: 16 MiB */
    size_t max_connections_idle; /* reserved; 0 */
    /* Text for unknown methods and errors: "TabletManager.X on <alias>: …"; may be NULL */
    const char *error_suffix_alias;
    /* Called on the pump thread when a call ended: path ("unknown" for one not in the table), code,
     * microseconds. May be NULL. */
    void (*on_done)(const char *path, int code, int64_t microseconds, void *data);
    void *on_done_data;
};
/* Listens. A busy port: FAILED_PRECONDITION naming the address. The request passed to a handler
 * lives until the call is finished. */
struct error *rpc_server_start(struct rpc_pump *pump, const struct rpc_server_options *options,
                               struct rpc_server **ret_server) ERROR_MUST_CHECK;
/* Refuses new calls, waits up to grace_ms for running ones, cancels the rest, waits for their
 * handlers to finish, frees. Not on the pump thread. */
void rpc_server_stop(struct rpc_server *server, int64_t grace_ms);

/* The port listened on (of interest when the address said 0); 0 for a unix socket. */
int rpc_server_port(const struct rpc_server *server, size_t address_index);

/* The call's token: ends at the client's deadline, its cancel or its disappearance. Borrowed. */
struct cancel *rpc_call_cancel(struct rpc_call *call);
const char *rpc_call_method(const struct rpc_call *call); /* "Ping" */
const char *rpc_call_peer(const struct rpc_call *call);
/* Streams: queues a message; blocks while more than 64 wait to be sent; the error says that the
 * client is gone (the work may go on). */
struct error *rpc_call_send(struct rpc_call *call,
                            const ProtobufCMessage *message) ERROR_MUST_CHECK;
/* The same for streams that live long, without waiting: RESOURCE_EXHAUSTED when `most_queued`
 * messages (at most 64) wait already. */
struct error *rpc_call_offer(struct rpc_call *call, const ProtobufCMessage *message,
                             size_t most_queued) ERROR_MUST_CHECK;
/* By the handler of an inline stream, which then goes on after it has returned: on_gone(call,
 * data), on the pump thread, when the client is gone (also when it is already). The call is still
 * to be finished by somebody, once. */
void rpc_call_on_gone(struct rpc_call *call, void (*on_gone)(struct rpc_call *call, void *data),
                      void *data);
/* Ends the call: with the response (unary), or with an error (taken; NULL response), or OK after
 * sends (both NULL). Exactly once per call; the call and request are gone afterwards. */
void rpc_call_finish(struct rpc_call *call, const ProtobufCMessage *response,
                     struct error *take_error);

/* ---- Client: blocking calls for workers and the command line; not on the pump thread. ---- */
struct rpc_channel;
struct rpc_channel_options {
    const char *target; /* "host:port", "unix:/path", "ipv4:1.2.3.4:5,5.6.7.8:9" */
    struct rpc_tls tls;
    struct rpc_static_auth auth;
    int64_t max_message_bytes; /* 0: 64 MiB */
    bool
        waits_for_ready; /* wait for the connection until the deadline instead of failing at once */
};
struct error *rpc_channel_new(struct rpc_pump *pump, const struct rpc_channel_options *options,
                              struct rpc_channel **ret_channel) ERROR_MUST_CHECK;
void rpc_channel_free(struct rpc_channel *channel); /* all its calls must have returned */
/* One unary call. The deadline is the cancel's (sent as grpc-timeout). Errors carry the peer's code
 * and text; errno N in the text is parsed into mysql_errno. Caller frees *ret_response with
 * protobuf_c_message_free_unpacked. */
struct error *rpc_channel_call(struct rpc_channel *channel, const char *path,
                               const ProtobufCMessage *request,
                               const ProtobufCMessageDescriptor *response_descriptor,
                               struct cancel *cancel,
                               ProtobufCMessage **ret_response) ERROR_MUST_CHECK;

/* Streams (server streaming and both ways). One thread sends, one (may be the same) receives. */
struct rpc_stream;
struct error *rpc_stream_open(struct rpc_channel *channel, const char *path,
                              const ProtobufCMessageDescriptor *response_descriptor,
                              struct cancel *cancel,
                              struct rpc_stream **ret_stream) ERROR_MUST_CHECK;
struct error *rpc_stream_send(struct rpc_stream *stream,
                              const ProtobufCMessage *message) ERROR_MUST_CHECK;
void rpc_stream_half_close(struct rpc_stream *stream);
/* Next message, or NULL message at the end (status OK); a bad status is the error. */
struct error *rpc_stream_receive(struct rpc_stream *stream,
                                 ProtobufCMessage **ret_message) ERROR_MUST_CHECK;
void rpc_stream_free(struct rpc_stream *stream); /* cancels what is still running, waits */

#endif
