/* Client of another tablet's TabletManager service and of the supervisor's MysqlCtl. Blocking;
 * workers and the command line. */
#ifndef VTAGENT_TMCLIENT_TMCLIENT_H
#define VTAGENT_TMCLIENT_TMCLIENT_H

#include "agent/rpc/rpc.h"
#include "agent/topo/records.h"
#include "logutil.pb-c.h"
#include "tabletmanagerdata.pb-c.h"

/* How to reach tablets; any thread. One new connection per call, as Vitess does. */
struct tm_client;
struct tm_client *tm_client_new(struct rpc_pump *pump, const struct rpc_tls *tls,
                                const struct rpc_static_auth *auth);
void tm_client_free(struct tm_client *client);

/* "host:port" of a tablet; caller frees. UNAVAILABLE "tablet is shutdown" / FAILED_PRECONDITION as
 * Vitess when the record has no address. */
struct error *tm_tablet_address(const Topodata__Tablet *tablet,
                                char **ret_address) ERROR_MUST_CHECK;

/* One unary call by name, "Ping", or of another service by its path, "/vtagent.Agent/Jobs". The
 * descriptors must be the method's. The caller owns the response
 * (protobuf_c_message_free_unpacked). Errors are wrapped with the method and the alias. */
struct error *tm_call(struct tm_client *client, const Topodata__Tablet *tablet, const char *method,
                      const ProtobufCMessage *request,
                      const ProtobufCMessageDescriptor *response_descriptor, struct cancel *cancel,
                      ProtobufCMessage **ret_response) ERROR_MUST_CHECK;
/* A streaming call whose messages carry a logutil.Event (Backup, RestoreFromBackup): each event
 * goes to on_event. */
typedef void (*tm_event_function)(const Logutil__Event *event, void *data);
struct error *tm_call_events(struct tm_client *client, const Topodata__Tablet *tablet,
                             const char *method, const ProtobufCMessage *request,
                             const ProtobufCMessageDescriptor *response_descriptor,
                             struct cancel *cancel, tm_event_function on_event,
                             void *data) ERROR_MUST_CHECK;

/* ---- The supervisor's socket (mysqlctl.MysqlCtl), ours or Vitess's ---- */
struct mysqlctl_client;
struct error *mysqlctl_client_new(struct rpc_pump *pump, const char *socket_path,
                                  struct mysqlctl_client **ret_client) ERROR_MUST_CHECK;
void mysqlctl_client_free(struct mysqlctl_client *client);
struct error *mysqlctl_start(struct mysqlctl_client *client, struct cancel *cancel,
                             const char *const *mysqld_args) ERROR_MUST_CHECK; /* NULL: none */
struct error *mysqlctl_shutdown(struct mysqlctl_client *client, struct cancel *cancel,
                                bool waits_for_mysqld,
                                int64_t shutdown_timeout_ms) ERROR_MUST_CHECK;
struct error *mysqlctl_run_upgrade(struct mysqlctl_client *client,
                                   struct cancel *cancel) ERROR_MUST_CHECK;
struct error *mysqlctl_reinit_config(struct mysqlctl_client *client,
                                     struct cancel *cancel) ERROR_MUST_CHECK;
struct error *mysqlctl_refresh_config(struct mysqlctl_client *client,
                                      struct cancel *cancel) ERROR_MUST_CHECK;
struct error *mysqlctl_version(struct mysqlctl_client *client, struct cancel *cancel,
                               char **ret_version) ERROR_MUST_CHECK;

/* ---- vtagent.Supervisor on the same socket; UNIMPLEMENTED from Vitess's mysqlctld ---- */
struct supervisor_state {
    bool is_running, can_freeze;
    int64_t mysqld_pid, restarts;
    char *freeze_reason; /* why not; "" */
};
struct error *supervisor_status(struct mysqlctl_client *client, struct cancel *cancel,
                                bool probes_again,
                                struct supervisor_state *ret_state) ERROR_MUST_CHECK;
void supervisor_state_done(struct supervisor_state *state);
struct supervisor_image {
    char *path; /* below it: data, innodb/data, innodb/logs */
    int64_t pause_us, file_count, bytes;
};
/* Pauses mysqld for at most most_pause_ms; an earlier image of that name is replaced. */
struct error *supervisor_freeze(struct mysqlctl_client *client, struct cancel *cancel,
                                const char *image_name, int64_t most_pause_ms,
                                struct supervisor_image *ret_image) ERROR_MUST_CHECK;
void supervisor_image_done(struct supervisor_image *image);
/* An empty image, in place of an earlier one of that name. Caller frees its path. */
struct error *supervisor_new_image(struct mysqlctl_client *client, struct cancel *cancel,
                                   const char *image_name, char **ret_path) ERROR_MUST_CHECK;
/* An image that is not there is dropped already. */
struct error *supervisor_drop_image(struct mysqlctl_client *client, struct cancel *cancel,
                                    const char *image_name) ERROR_MUST_CHECK;
struct supervisor_proof {
    int64_t milliseconds, table_count;
    char *position; /* what the image holds; "" where that is not known */
};
void supervisor_proof_done(struct supervisor_proof *proof);
/* DATA_LOSS with the reason when the image is no good. Afterwards the image is as after a clean
 * shutdown. `position`: what it must contain; "": not looked at. */
struct error *supervisor_prove_image(struct mysqlctl_client *client, struct cancel *cancel,
                                     const char *image_name, bool checks_tables,
                                     const char *position,
                                     struct supervisor_proof *ret_proof) ERROR_MUST_CHECK;

#endif
