/* One run of the command line: flags, words, topology, how tablets are called. Private to the
 * folder. */
#ifndef VTAGENT_CTL_SESSION_H
#define VTAGENT_CTL_SESSION_H

#include <pthread.h>
#include <stdio.h>

#include "agent/base/option.h"
#include "agent/tmclient/tmclient.h"
#include "agent/topo/records.h"
#include "replicationdata.pb-c.h"

/* Every flag of every verb; a verb's rows say which of them it takes. */
struct ctl_options {
    /* all verbs */
    char *topo_implementation, *topo_address, *topo_root;
    char *topo_tls_cert, *topo_tls_key, *topo_tls_ca;
    int64_t topo_lease_ttl;
    char *tablet_tls_cert, *tablet_tls_key, *tablet_tls_ca, *tablet_tls_crl;
    char *tablet_tls_server_name;
    char *tablet_auth_file;
    int64_t storage_timeout_ms;
    char *storage_implementation, *storage_file_root, *storage_gcs_bucket, *storage_gcs_root;
    int64_t action_timeout_ms, remote_timeout_ms;
    bool wants_json, is_quiet, wants_help;
    /* some verbs */
    bool is_forced, is_dry_run, allows_primary, wants_ping, allows_cross_cell, prevents_cross_cell;
    bool waits_for_all, is_upgrade_safe, includes_views, names_only, schema_only, sizes_only;
    bool disables_binlogs, reloads_schema, is_detailed, wants_restore, is_watching;
    int64_t drain_timeout_ms;
    char *tablet_path;
    char *root, *server_address;
    char *cell, *keyspace, *shard, *tablet_type;
    char *keyspace_shard, *new_primary, *avoid_primary, *expected_primary;
    char *durability_policy, *sidecar_name;
    char *sql, *sql_file, *backup_time, *incremental_from, *payload;
    char *verify_tablet, *verify_mode;
    struct strv cells, ignored_replicas, tables, excluded_tables, aliases;
    int64_t wait_replicas_timeout_ms, tolerable_lag_ms, limit, concurrency, max_rows;
    int64_t keep_count, keep_age_ms, orphan_age_ms;
};

struct ctl {
    struct ctl_options options;
    struct strv words; /* after the verb */
    struct rpc_pump *pump;
    struct topo *topo;
    struct tm_client *client;
    struct cancel *cancel; /* ends at the action's timeout and at SIGINT */
    FILE *out, *err;
    bool may_have_child;          /* a process of its own, which a hanging mount may keep */
    bool is_wrong_use;            /* the error to come is about how the verb was written */
    pthread_mutex_t output_mutex; /* notes come from several threads */
    /* How tablets are called; tests put their own here. */
    struct error *(*call)(struct ctl *ctl, const Topodata__Tablet *tablet, const char *method,
                          const ProtobufCMessage *request,
                          const ProtobufCMessageDescriptor *response, struct cancel *cancel,
                          ProtobufCMessage **ret_response);
    void *call_data;
};

/* ---- Words. An error about them is wrong use. ---- */
struct error *ctl_wrong_use(struct ctl *ctl, const char *format, ...)
    __attribute__((format(printf, 2, 3))) ERROR_MUST_CHECK;
/* Marks an error of parsing as wrong use; NULL stays NULL. */
struct error *ctl_as_wrong_use(struct ctl *ctl, struct error *take_error) ERROR_MUST_CHECK;
struct error *ctl_parse_alias(struct ctl *ctl, const char *text,
                              struct tablet_alias *ret_alias) ERROR_MUST_CHECK;
struct error *ctl_parse_type(struct ctl *ctl, const char *text,
                             Topodata__TabletType *ret_type) ERROR_MUST_CHECK;
/* Caller frees both. */
struct error *ctl_parse_shard(struct ctl *ctl, const char *text, char **ret_keyspace,
                              char **ret_shard) ERROR_MUST_CHECK;
struct error *ctl_check_name(struct ctl *ctl, const char *what, const char *name) ERROR_MUST_CHECK;
/* The tablet that word `index` names, from the topology. record_freep frees it. */
struct error *ctl_read_tablet(struct ctl *ctl, size_t index,
                              Topodata__Tablet **ret_tablet) ERROR_MUST_CHECK;
/* Appends the tablets of these cells (NULL or none: of all), of a keyspace or shard or all. A cell
 * that cannot be read is a warning while others can. (topo_verbs.c) */
struct error *ctl_list_tablets(struct ctl *ctl, const struct strv *cells, const char *keyspace,
                               const char *shard, struct tablet_list *list) ERROR_MUST_CHECK;

/* ---- Output ---- */
/* A line on stderr about what is going on; nothing with --quiet. Any thread. */
void ctl_note(struct ctl *ctl, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* A line on stderr that is shown always: "warning: <text>". Any thread. */
void ctl_warn(struct ctl *ctl, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Warns with the error's text and frees it; NULL: nothing. */
void ctl_warn_take(struct ctl *ctl, struct error *take_error);
/* Alias as text, in storage of the caller's. */
struct alias_text {
    char text[TABLET_ALIAS_TEXT_MAX];
};
struct alias_text alias_text_of(const Topodata__Tablet *tablet);
struct alias_text alias_text_from(const Topodata__TabletAlias *alias);

/* ---- Topology ---- */
/* For a verb that needs none, but uses it when its flags are given: ctl->topo stays NULL without.
 */
struct error *ctl_open_topology_if_given(struct ctl *ctl) ERROR_MUST_CHECK;

/* ---- Calls ---- */
/* One call of the TabletManager service by its method's name, or of vtagent's own by its path
 * ("/vtagent.Agent/Jobs"). request NULL: an empty one.
 * timeout_ms 0: no other bound than the cancel's. `ret_response` points to a pointer of the
 * response's type, or is NULL. */
struct error *ctl_call(struct ctl *ctl, const Topodata__Tablet *tablet, const char *method,
                       const ProtobufCMessage *request, struct cancel *cancel, int64_t timeout_ms,
                       void *ret_response) ERROR_MUST_CHECK;
/* Position texts; caller frees. */
struct error *call_primary_position(struct ctl *ctl, const Topodata__Tablet *tablet,
                                    struct cancel *cancel, int64_t timeout_ms,
                                    char **ret_position) ERROR_MUST_CHECK;
struct error *call_wait_for_position(struct ctl *ctl, const Topodata__Tablet *tablet,
                                     const char *position, struct cancel *cancel,
                                     int64_t timeout_ms) ERROR_MUST_CHECK;
struct set_source {
    const Topodata__TabletAlias *parent;
    int64_t time_created_ns;
    const char *wait_position; /* "" for none */
    bool is_forced, wants_semi_sync;
};
struct error *call_set_source(struct ctl *ctl, const Topodata__Tablet *tablet,
                              const struct set_source *source, struct cancel *cancel,
                              int64_t timeout_ms) ERROR_MUST_CHECK;
/* InitPrimary or PromoteReplica: *ret_position is the caller's. */
struct error *call_promote(struct ctl *ctl, const Topodata__Tablet *tablet, bool is_first,
                           bool wants_semi_sync, struct cancel *cancel, int64_t timeout_ms,
                           char **ret_position) ERROR_MUST_CHECK;
struct error *call_populate_journal(struct ctl *ctl, const Topodata__Tablet *primary,
                                    int64_t time_created_ns, const char *action,
                                    const char *position, struct cancel *cancel,
                                    int64_t timeout_ms) ERROR_MUST_CHECK;
/* The tablet said that it does not replicate (errno 100). */
bool error_says_not_a_replica(const struct error *error);

/* ---- Verbs ---- */
struct ctl_verb {
    const char *name;
    const char *other_names; /* comma-separated: 2018's and singular forms; NULL: none */
    const char *group, *usage, *help;
    const struct option_row *rows;
    size_t row_count;
    size_t words_least, words_most;
    struct error *(*run)(struct ctl *ctl);
    bool needs_no_topology;
};
#define CTL_ANY_WORDS SIZE_MAX
#define CTL_ROWS(array) (array), ARRAY_LENGTH(array)
#define CTL_OPTION(name_, type_, field_, value_, help_)                                            \
    {                                                                                              \
        .name = name_, .type = type_, .offset = offsetof(struct ctl_options, field_),              \
        .value = value_, .group = "Flags of this verb", .help = help_                              \
    }

/* Each family's verbs, in the file of its name. */
struct ctl_family {
    const struct ctl_verb *verbs;
    size_t count;
};
struct ctl_family cell_verbs(void);
struct ctl_family topo_verbs(void);
struct ctl_family tablet_verbs(void);
struct ctl_family status_verbs(void);
struct ctl_family health_verbs(void);
struct ctl_family reparent_verbs(void);
struct ctl_family backup_verbs(void);
struct ctl_family job_verbs(void);
struct ctl_family schema_verbs(void);
struct ctl_family validate_verbs(void);

/* Finds a verb by any of its names, any case; NULL: none. */
const struct ctl_verb *ctl_find_verb(const char *name);
/* Reads everything after "ctl". *ret_verb NULL: only --help was asked for. Wrong use otherwise. */
struct error *ctl_parse(struct ctl *ctl, int argc, char *const *argv,
                        const struct ctl_verb **ret_verb) ERROR_MUST_CHECK;
void ctl_print_help(const struct ctl_verb *verb, FILE *stream); /* NULL: of all */
void ctl_options_done(struct ctl_options *options);
/* Runs a verb whose flags and words are in place. */
struct error *ctl_run_verb(struct ctl *ctl, const struct ctl_verb *verb) ERROR_MUST_CHECK;

#endif
