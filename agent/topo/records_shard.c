#include <stdlib.h>
#include <string.h>

#include "agent/topo/record_io.h"

#define DEFAULT_SIDECAR "_vt"
#define RETRY_FIRST_MS 1000

static struct error *
shard_path(const char *keyspace, const char *shard, char **ret_path)
{
    TRY(name_validate("keyspace", keyspace));
    CLEANUP(freep) char *name = NULL;
    TRY(shard_name_parse(shard, &name, NULL));
    *ret_path = xasprintf("keyspaces/%s/shards/%s/Shard", keyspace, name);
    return NULL;
}

struct error *
topo_get_shard(struct topo *topo, struct cancel *cancel, const char *keyspace, const char *shard,
               Topodata__Shard **ret_shard, int64_t *ret_version)
{
    CLEANUP(freep) char *path = NULL;
    TRY(shard_path(keyspace, shard, &path));
    struct error *error = record_read(topo_global(topo), cancel, path, &topodata__shard__descriptor,
                                      ret_shard, ret_version);
    return record_name_missing(error, "shard '%s/%s' does not exist", keyspace, shard);
}

struct change_shard {
    topo_change_shard change;
    void *data;
};

static bool
change_shard(ProtobufCMessage *message, void *data)
{
    const struct change_shard *call = data;
    return call->change((Topodata__Shard *)message, call->data);
}

struct error *
topo_update_shard(struct topo *topo, struct cancel *cancel, const char *keyspace, const char *shard,
                  topo_change_shard change, void *data)
{
    CLEANUP(freep) char *path = NULL;
    TRY(shard_path(keyspace, shard, &path));
    struct change_shard call = {change, data};
    struct error *error = record_change_loop(
        topo_global(topo), cancel, path, &topodata__shard__descriptor, false, change_shard, &call);
    return record_name_missing(error, "shard '%s/%s' does not exist", keyspace, shard);
}

/* ---- Creation ---- */

static struct error *
ignore_existing(struct error *take_error)
{
    if (!error_is(take_error, ERROR_ALREADY_EXISTS))
        return take_error;
    error_free(take_error);
    return NULL;
}

static struct error *
ensure_keyspace(struct topo *topo, struct cancel *cancel, const char *keyspace)
{
    Topodata__Keyspace record = TOPODATA__KEYSPACE__INIT;
    record.sidecar_db_name = (char *)(uintptr_t)DEFAULT_SIDECAR;
    TRY(ignore_existing(topo_create_keyspace(topo, cancel, keyspace, &record)));
    /* Whoever created the record may have died before the second file. */
    CLEANUP(freep) char *path = xasprintf("keyspaces/%s/VSchema", keyspace);
    return ignore_existing(topo_create(topo_global(topo), cancel, path, "", 0, NULL));
}

static struct error *
overlaps_another(struct topo *topo, struct cancel *cancel, const char *keyspace,
                 const Topodata__KeyRange *range, bool *ret_overlaps)
{
    CLEANUP(strv_done) struct strv names = {0};
    TRY(topo_list_shards(topo, cancel, keyspace, &names));
    bool overlaps = false;
    for (size_t i = 0; i < names.count; i++) {
        CLEANUP(record_freep) Topodata__Shard *other = NULL;
        struct error *error = topo_get_shard(topo, cancel, keyspace, names.items[i], &other, NULL);
        TRY(record_ignore_missing(error));
        if (other != NULL && key_range_intersects(other->key_range, range))
            overlaps = true;
    }
    *ret_overlaps = overlaps;
    return NULL;
}

static struct error *
create_shard(struct topo *topo, struct cancel *cancel, const char *keyspace, const char *shard)
{
    CLEANUP(freep) char *name = NULL;
    CLEANUP(record_freep) Topodata__KeyRange *range = NULL;
    TRY(shard_name_parse(shard, &name, &range));
    CLEANUP(topo_unlockp) struct topo_lock *lock = NULL;
    TRY(topo_lock_keyspace(topo, cancel, keyspace, "CreateShard", &lock));
    bool overlaps;
    TRY(overlaps_another(topo, cancel, keyspace, range, &overlaps));
    Topodata__Shard record = TOPODATA__SHARD__INIT;
    record.key_range = range;
    record.is_primary_serving = !overlaps;
    CLEANUP(freep) char *path = xasprintf("keyspaces/%s/shards/%s/Shard", keyspace, name);
    return ignore_existing(record_create(topo_global(topo), cancel, path, &record.base));
}

static bool
set_default_sidecar(Topodata__Keyspace *keyspace, void *data)
{
    (void)data;
    if (!str_is_empty(keyspace->sidecar_db_name))
        return false;
    record_set_string(&keyspace->sidecar_db_name, DEFAULT_SIDECAR);
    return true;
}

static struct error *
read_sidecar(struct topo *topo, struct cancel *cancel, const char *keyspace, char **ret_sidecar)
{
    CLEANUP(record_freep) Topodata__Keyspace *record = NULL;
    TRY(topo_get_keyspace(topo, cancel, keyspace, &record, NULL));
    if (str_is_empty(record->sidecar_db_name)) {
        CLEANUP(topo_unlockp) struct topo_lock *lock = NULL;
        TRY(topo_lock_keyspace(topo, cancel, keyspace, "UpdateSidecarDBName", &lock));
        TRY(topo_update_keyspace(topo, cancel, keyspace, set_default_sidecar, NULL));
        record_freep(&record);
        TRY(topo_get_keyspace(topo, cancel, keyspace, &record, NULL));
    }
    *ret_sidecar = xstrdup(record->sidecar_db_name);
    return NULL;
}

static struct error *
get_or_create_once(struct topo *topo, struct cancel *cancel, const char *keyspace,
                   const char *shard, Topodata__Shard **ret_shard, char **ret_sidecar)
{
    CLEANUP(record_freep) Topodata__Shard *record = NULL;
    struct error *error = topo_get_shard(topo, cancel, keyspace, shard, &record, NULL);
    if (error_is(error, ERROR_NOT_FOUND)) {
        error_free(error);
        TRY(ensure_keyspace(topo, cancel, keyspace));
        TRY(create_shard(topo, cancel, keyspace, shard));
        error = topo_get_shard(topo, cancel, keyspace, shard, &record, NULL);
    }
    TRY(error);
    if (ret_sidecar != NULL)
        TRY(read_sidecar(topo, cancel, keyspace, ret_sidecar));
    *ret_shard = record;
    record = NULL;
    return NULL;
}

static bool
may_pass(const struct error *error)
{
    return error_is(error, ERROR_UNAVAILABLE) || error_is(error, ERROR_DEADLINE_EXCEEDED) ||
           error_is(error, ERROR_ABORTED) || error_is(error, ERROR_RESOURCE_EXHAUSTED);
}

struct error *
topo_get_or_create_shard(struct topo *topo, struct cancel *cancel, const char *keyspace,
                         const char *shard, Topodata__Shard **ret_shard, char **ret_sidecar)
{
    int64_t pause_ms = RETRY_FIRST_MS;
    for (;;) {
        struct error *error =
            get_or_create_once(topo, cancel, keyspace, shard, ret_shard, ret_sidecar);
        if (!may_pass(error) || cancel_is_requested(cancel))
            return error;
        struct error *ended = cancel_sleep_ms(cancel, pause_ms);
        if (ended != NULL)
            return error_first(error, ended); /* what failed tells more than "deadline exceeded" */
        error_free(error);
        pause_ms += pause_ms * 3 / 10;
    }
}
