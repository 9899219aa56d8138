#include <stdlib.h>
#include <string.h>

#include "agent/topo/record_io.h"

#define LOCK_TIMEOUT_MS 45000

static char *
keyspace_path(const char *keyspace, const char *file)
{
    return xasprintf("keyspaces/%s/%s", keyspace, file);
}

struct error *
topo_get_keyspace(struct topo *topo, struct cancel *cancel, const char *keyspace,
                  Topodata__Keyspace **ret_keyspace, int64_t *ret_version)
{
    TRY(name_validate("keyspace", keyspace));
    CLEANUP(freep) char *path = keyspace_path(keyspace, "Keyspace");
    struct error *error = record_read(topo_global(topo), cancel, path,
                                      &topodata__keyspace__descriptor, ret_keyspace, ret_version);
    return record_name_missing(error, "keyspace '%s' does not exist", keyspace);
}

/* vtgate builds its routing from every keyspace's VSchema: an empty one must be there, as a file of
 * zero bytes. */
static struct error *
ensure_vschema(struct topo *topo, struct cancel *cancel, const char *keyspace)
{
    CLEANUP(freep) char *path = keyspace_path(keyspace, "VSchema");
    struct error *error = topo_create(topo_global(topo), cancel, path, "", 0, NULL);
    if (!error_is(error, ERROR_ALREADY_EXISTS))
        return error;
    error_free(error);
    return NULL;
}

struct error *
topo_create_keyspace(struct topo *topo, struct cancel *cancel, const char *keyspace,
                     const Topodata__Keyspace *record)
{
    TRY(name_validate("keyspace", keyspace));
    CLEANUP(freep) char *path = keyspace_path(keyspace, "Keyspace");
    struct error *error = record_create(topo_global(topo), cancel, path, &record->base);
    if (error_is(error, ERROR_ALREADY_EXISTS)) {
        error_free(error);
        return error_new(ERROR_ALREADY_EXISTS, "keyspace '%s' exists already", keyspace);
    }
    TRY(error);
    return ensure_vschema(topo, cancel, keyspace);
}

struct change_keyspace {
    topo_change_keyspace change;
    void *data;
};

static bool
change_keyspace(ProtobufCMessage *message, void *data)
{
    const struct change_keyspace *call = data;
    return call->change((Topodata__Keyspace *)message, call->data);
}

struct error *
topo_update_keyspace(struct topo *topo, struct cancel *cancel, const char *keyspace,
                     topo_change_keyspace change, void *data)
{
    TRY(name_validate("keyspace", keyspace));
    CLEANUP(freep) char *path = keyspace_path(keyspace, "Keyspace");
    struct change_keyspace call = {change, data};
    struct error *error =
        record_change_loop(topo_global(topo), cancel, path, &topodata__keyspace__descriptor, false,
                           change_keyspace, &call);
    return record_name_missing(error, "keyspace '%s' does not exist", keyspace);
}

struct error *
topo_list_keyspaces(struct topo *topo, struct cancel *cancel, struct strv *ret_names)
{
    return record_ignore_missing(
        topo_list_directory(topo_global(topo), cancel, "keyspaces", ret_names));
}

struct error *
topo_list_shards(struct topo *topo, struct cancel *cancel, const char *keyspace,
                 struct strv *ret_names)
{
    TRY(name_validate("keyspace", keyspace));
    CLEANUP(freep) char *path = keyspace_path(keyspace, "shards");
    return record_ignore_missing(topo_list_directory(topo_global(topo), cancel, path, ret_names));
}

struct error *
topo_get_durability(struct topo *topo, struct cancel *cancel, const char *keyspace,
                    char **ret_policy)
{
    CLEANUP(record_freep) Topodata__Keyspace *record = NULL;
    TRY(topo_get_keyspace(topo, cancel, keyspace, &record, NULL));
    *ret_policy =
        xstrdup(str_is_empty(record->durability_policy) ? "none" : record->durability_policy);
    return NULL;
}

/* ---- Locks ---- */

static struct error *
lock_path(struct topo *topo, struct cancel *cancel, const char *path, const char *action,
          struct topo_lock **ret_lock)
{
    CLEANUP(cancel_unrefp) struct cancel *bounded = cancel_new_child(cancel, LOCK_TIMEOUT_MS);
    return topo_lock(topo_global(topo), bounded, path, action, ret_lock);
}

struct error *
topo_lock_keyspace(struct topo *topo, struct cancel *cancel, const char *keyspace,
                   const char *action, struct topo_lock **ret_lock)
{
    TRY(name_validate("keyspace", keyspace));
    CLEANUP(freep) char *path = xasprintf("keyspaces/%s", keyspace);
    struct error *error = lock_path(topo, cancel, path, action, ret_lock);
    return record_name_missing(error, "keyspace '%s' does not exist", keyspace);
}

struct error *
topo_lock_shard(struct topo *topo, struct cancel *cancel, const char *keyspace, const char *shard,
                const char *action, struct topo_lock **ret_lock)
{
    TRY(name_validate("keyspace", keyspace));
    CLEANUP(freep) char *name = NULL;
    TRY(shard_name_parse(shard, &name, NULL));
    CLEANUP(freep) char *path = xasprintf("keyspaces/%s/shards/%s", keyspace, name);
    struct error *error = lock_path(topo, cancel, path, action, ret_lock);
    return record_name_missing(error, "shard '%s/%s' does not exist", keyspace, name);
}
