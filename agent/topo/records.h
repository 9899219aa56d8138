/* Vitess's records in the topology: read, create, read-modify-write. Messages are protobuf-c's;
 * free them with the generated …__free_unpacked(message, NULL). Unknown fields survive a rewrite.
 */
#ifndef VTAGENT_TOPO_RECORDS_H
#define VTAGENT_TOPO_RECORDS_H

#include "agent/topo/topo.h"
#include "topodata.pb-c.h"

/* ---- Messages ---- */
/* For CLEANUP: frees the message behind the pointer (any message, with everything it owns). */
void record_freep(void *pointer_to_message);
/* Replaces a string, bytes, alias or time of a message by a copy the message owns. */
void record_set_string(char **field, const char *text); /* NULL: "" */
struct tablet_alias;
void record_set_alias(Topodata__TabletAlias **field, const struct tablet_alias *alias);
void record_set_time(Vttime__Time **field, int64_t wall_ns); /* 0: clears the field */
int64_t record_time_ns(const Vttime__Time *time);            /* NULL: 0 */
/* 0 when the record has no such port. */
int32_t tablet_port(const Topodata__Tablet *tablet, const char *name);
/* "vt_<keyspace>" unless overridden; caller frees. */
char *tablet_database_name(const Topodata__Tablet *tablet);

/* ---- Names ---- */
struct tablet_alias {
    char cell[65];
    uint32_t uid;
};
#define TABLET_ALIAS_TEXT_MAX 80
/* "zone1-100" or "zone1-0000000100"; the last dash splits. INVALID_ARGUMENT otherwise. */
struct error *tablet_alias_parse(const char *text, struct tablet_alias *ret_alias) ERROR_MUST_CHECK;
void tablet_alias_format(const struct tablet_alias *alias, char text[TABLET_ALIAS_TEXT_MAX]);
bool tablet_alias_equal(const struct tablet_alias *a, const struct tablet_alias *b);
/* From a message (NULL gives a zero alias: empty cell, uid 0). */
struct tablet_alias tablet_alias_of(const Topodata__TabletAlias *message);
bool tablet_alias_is_zero(const struct tablet_alias *alias);
/* Keyspace, shard and cell names: 1-64 of [a-zA-Z0-9_-]. `what` is for the message. */
struct error *name_validate(const char *what, const char *name) ERROR_MUST_CHECK;
/* "0", "-80", "80-", "-": validates, lower-cases; caller frees *ret_name; *ret_range may be NULL.
 */
struct error *shard_name_parse(const char *name, char **ret_name,
                               Topodata__KeyRange **ret_range) ERROR_MUST_CHECK;
/* "ks/shard" split; caller frees both. */
struct error *keyspace_shard_parse(const char *text, char **ret_keyspace,
                                   char **ret_shard) ERROR_MUST_CHECK;
/* "replica", "RDONLY", "batch", "primary", "master"… INVALID_ARGUMENT naming the known ones. */
struct error *tablet_type_parse(const char *text, Topodata__TabletType *ret_type) ERROR_MUST_CHECK;
const char *tablet_type_name(Topodata__TabletType type); /* "replica" */
bool tablet_type_is_replica(Topodata__TabletType type);  /* should replicate */
/* A change between these two needs no reparent: Vitess's "trivial" changes. */
bool tablet_type_change_is_trivial(Topodata__TabletType from, Topodata__TabletType to);
/* Whether the key ranges share a key; NULL is the whole range. */
bool key_range_intersects(const Topodata__KeyRange *a, const Topodata__KeyRange *b);

/* ---- Records. `ret_version` may be NULL. ---- */
struct error *topo_get_cell_info(struct topo *topo, struct cancel *cancel, const char *cell,
                                 Topodata__CellInfo **ret_info) ERROR_MUST_CHECK;
struct error *topo_put_cell_info(struct topo *topo, struct cancel *cancel, const char *cell,
                                 const char *server_address, const char *root,
                                 bool must_be_new) ERROR_MUST_CHECK;
struct error *topo_list_cells(struct topo *topo, struct cancel *cancel,
                              struct strv *ret_cells) ERROR_MUST_CHECK; /* none: success, empty */

struct error *topo_get_keyspace(struct topo *topo, struct cancel *cancel, const char *keyspace,
                                Topodata__Keyspace **ret_keyspace,
                                int64_t *ret_version) ERROR_MUST_CHECK;
struct error *topo_create_keyspace(struct topo *topo, struct cancel *cancel, const char *keyspace,
                                   const Topodata__Keyspace *record) ERROR_MUST_CHECK;
struct error *topo_list_keyspaces(struct topo *topo, struct cancel *cancel,
                                  struct strv *ret_names) ERROR_MUST_CHECK;
struct error *topo_list_shards(struct topo *topo, struct cancel *cancel, const char *keyspace,
                               struct strv *ret_names) ERROR_MUST_CHECK;
/* Read-modify-write: `change` edits the message and returns false for "leave it". */
typedef bool (*topo_change_keyspace)(Topodata__Keyspace *keyspace, void *data);
struct error *topo_update_keyspace(struct topo *topo, struct cancel *cancel, const char *keyspace,
                                   topo_change_keyspace change, void *data) ERROR_MUST_CHECK;
/* The durability policy's name; "none" when empty. */
struct error *topo_get_durability(struct topo *topo, struct cancel *cancel, const char *keyspace,
                                  char **ret_policy) ERROR_MUST_CHECK;

struct error *topo_get_shard(struct topo *topo, struct cancel *cancel, const char *keyspace,
                             const char *shard, Topodata__Shard **ret_shard,
                             int64_t *ret_version) ERROR_MUST_CHECK;
/* Keyspace and shard are created when missing, with Vitess's defaults (sidecar "_vt", an explicit
 * empty VSchema, key range from the name, serving only if no existing shard overlaps), under the
 * keyspace lock. Takes retries inside the cancel's deadline. */
struct error *topo_get_or_create_shard(struct topo *topo, struct cancel *cancel,
                                       const char *keyspace, const char *shard,
                                       Topodata__Shard **ret_shard,
                                       char **ret_sidecar) ERROR_MUST_CHECK;
/* Read-modify-write: `change` edits the message and returns false for "leave it". */
typedef bool (*topo_change_shard)(Topodata__Shard *shard, void *data);
struct error *topo_update_shard(struct topo *topo, struct cancel *cancel, const char *keyspace,
                                const char *shard, topo_change_shard change,
                                void *data) ERROR_MUST_CHECK;

struct error *topo_get_tablet(struct topo *topo, struct cancel *cancel,
                              const struct tablet_alias *alias, Topodata__Tablet **ret_tablet,
                              int64_t *ret_version) ERROR_MUST_CHECK;
/* Create, or overwrite when keyspace and shard match (FAILED_PRECONDITION otherwise); the shard
 * replication node is made sure of. */
struct error *topo_register_tablet(struct topo *topo, struct cancel *cancel,
                                   const Topodata__Tablet *tablet) ERROR_MUST_CHECK;
typedef bool (*topo_change_tablet)(Topodata__Tablet *tablet, void *data);
struct error *topo_update_tablet(struct topo *topo, struct cancel *cancel,
                                 const struct tablet_alias *alias, topo_change_tablet change,
                                 void *data) ERROR_MUST_CHECK;
/* Deletes the record and the shard replication node. */
struct error *topo_delete_tablet(struct topo *topo, struct cancel *cancel,
                                 const struct tablet_alias *alias) ERROR_MUST_CHECK;

/* Tablets, sorted by alias. */
struct tablet_list {
    Topodata__Tablet **items;
    size_t count;
};
void tablet_list_done(struct tablet_list *list);
/* All of a cell (keyspace, shard may be NULL: any). */
struct error *topo_list_tablets(struct topo *topo, struct cancel *cancel, const char *cell,
                                const char *keyspace, const char *shard,
                                struct tablet_list *ret_list) ERROR_MUST_CHECK;
/* Aliases in a cell's ShardReplication; no such file: success, empty. Appends "cell-uid" texts. */
struct error *topo_list_replication(struct topo *topo, struct cancel *cancel, const char *cell,
                                    const char *keyspace, const char *shard,
                                    struct strv *ret_aliases) ERROR_MUST_CHECK;
/* All of a shard in all cells. */
struct error *topo_list_shard_tablets(struct topo *topo, struct cancel *cancel,
                                      const char *keyspace, const char *shard,
                                      struct tablet_list *ret_list) ERROR_MUST_CHECK;

/* Locks with Vitess's paths; wait at most 45 s for their turn. */
struct error *topo_lock_keyspace(struct topo *topo, struct cancel *cancel, const char *keyspace,
                                 const char *action, struct topo_lock **ret_lock) ERROR_MUST_CHECK;
struct error *topo_lock_shard(struct topo *topo, struct cancel *cancel, const char *keyspace,
                              const char *shard, const char *action,
                              struct topo_lock **ret_lock) ERROR_MUST_CHECK;

/* ---- The serving graph (serving.c) ---- */
/* SrvKeyspace of these cells (NULL: all) from the shards; keyspace lock taken inside. */
struct error *topo_rebuild_keyspace_graph(struct topo *topo, struct cancel *cancel,
                                          const char *keyspace,
                                          const struct strv *cells) ERROR_MUST_CHECK;
/* SrvVSchema of these cells (NULL: all) from all keyspaces' VSchemas and the routing rules. */
struct error *topo_rebuild_vschema_graph(struct topo *topo, struct cancel *cancel,
                                         const struct strv *cells) ERROR_MUST_CHECK;
/* Makes sure of both in one cell: rebuilds what is missing; NOT_READY shards: FAILED_PRECONDITION,
 * try again later. */
struct error *topo_ensure_serving_graph(struct topo *topo, struct cancel *cancel, const char *cell,
                                        const char *keyspace) ERROR_MUST_CHECK;

#endif
