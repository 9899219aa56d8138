/* Files as etcd keys. A write whose answer got lost is looked up before it is repeated: the version
 * we compared with, or our own contents, tell whether it happened. */
#include <stdlib.h>
#include <string.h>

#include "agent/topo/etcd.h"
#include "agent/topo/record_io.h"

#define LIST_PAGE 1000
#define LIST_MAX 1000000
#define WRITE_TRIES 5

static const struct etcd_method method_range = {
    .path = "/etcdserverpb.KV/Range",
    .response = &etcdserverpb__range_response__descriptor,
};
static const struct etcd_method method_txn = {
    .path = "/etcdserverpb.KV/Txn",
    .response = &etcdserverpb__txn_response__descriptor,
    .is_write = true,
};
static const struct etcd_method method_put = {
    .path = "/etcdserverpb.KV/Put",
    .response = &etcdserverpb__put_response__descriptor,
    .is_write = true,
};

/* ---- Reading ---- */

struct error *
etcd_get_at(struct etcd_conn *conn, struct cancel *cancel, const char *path,
            struct topo_value *ret_value, int64_t *ret_revision)
{
    CLEANUP(freep) char *key = etcd_key(conn, path);
    Etcdserverpb__RangeRequest request = ETCDSERVERPB__RANGE_REQUEST__INIT;
    request.key = etcd_bytes(key);
    CLEANUP(record_freep) Etcdserverpb__RangeResponse *response = NULL;
    TRY(etcd_call(conn, cancel, &method_range, &request.base, &response));
    if (ret_revision != NULL)
        *ret_revision = response->header == NULL ? 0 : response->header->revision;
    if (response->n_kvs != 1)
        return topo_error_not_found(path);
    const Mvccpb__KeyValue *found = response->kvs[0];
    *ret_value = (struct topo_value){
        .data = xmemdup(found->value.data, found->value.len),
        .size_bytes = found->value.len,
        .version = found->mod_revision,
    };
    return NULL;
}

struct error *
etcd_get(struct topo_conn *conn, struct cancel *cancel, const char *path,
         struct topo_value *ret_value)
{
    return etcd_get_at((struct etcd_conn *)conn, cancel, path, ret_value, NULL);
}

/* The first key after all that start with this prefix; "\0" when there is none: all keys. */
static ProtobufCBinaryData
end_of_prefix(const char *prefix)
{
    size_t length = strlen(prefix);
    while (length > 0 && (uint8_t)prefix[length - 1] == 0xff)
        length--;
    ProtobufCBinaryData end = {.len = length == 0 ? 1 : length, .data = NULL};
    end.data = xcalloc(1, end.len);
    memcpy(end.data, prefix, length);
    if (length > 0)
        end.data[length - 1]++;
    return end;
}

static struct error *
append_page(const struct etcd_conn *conn, const Etcdserverpb__RangeResponse *page,
            struct topo_files *files)
{
    size_t skip = strlen(conn->prefix);
    if (files->count + page->n_kvs > LIST_MAX)
        return error_new(ERROR_RESOURCE_EXHAUSTED, "more than %d keys below '%s'", LIST_MAX,
                         conn->prefix);
    for (size_t i = 0; i < page->n_kvs; i++) {
        const Mvccpb__KeyValue *item = page->kvs[i];
        if (item->key.len < skip)
            continue;
        CLEANUP(freep) char *path = xstrndup((char *)item->key.data + skip, item->key.len - skip);
        topo_files_add(files, path, item->value.data, item->value.len, item->mod_revision);
    }
    return NULL;
}

/* Pages at one revision, so that the whole is one consistent reading whatever its size. */
struct error *
etcd_list(struct topo_conn *base, struct cancel *cancel, const char *prefix, bool wants_values,
          struct topo_files *ret_files)
{
    struct etcd_conn *conn = (struct etcd_conn *)base;
    CLEANUP(freep) char *first = etcd_key(conn, prefix);
    ProtobufCBinaryData end = end_of_prefix(first);
    CLEANUP(freep) uint8_t *end_owner = end.data;
    CLEANUP(freep) char *next = NULL;
    Etcdserverpb__RangeRequest request = ETCDSERVERPB__RANGE_REQUEST__INIT;
    request.key = etcd_bytes(first);
    if (request.key.len == 0)
        request.key.len = 1; /* the NUL: the least key */
    request.range_end = end;
    request.keys_only = !wants_values;
    request.limit = LIST_PAGE;
    request.sort_order = ETCDSERVERPB__RANGE_REQUEST__SORT_ORDER__ASCEND;
    request.sort_target = ETCDSERVERPB__RANGE_REQUEST__SORT_TARGET__KEY;
    for (;;) {
        CLEANUP(record_freep) Etcdserverpb__RangeResponse *page = NULL;
        TRY(etcd_call(conn, cancel, &method_range, &request.base, &page));
        TRY(append_page(conn, page, ret_files));
        if (!page->more || page->n_kvs == 0)
            return NULL;
        const ProtobufCBinaryData *last = &page->kvs[page->n_kvs - 1]->key;
        free(next);
        next = xstrndup((char *)last->data, last->len);
        request.key.data = (uint8_t *)next;
        request.key.len = last->len + 1; /* with its NUL: the key just after */
        if (request.revision == 0 && page->header != NULL)
            request.revision = page->header->revision;
    }
}

/* ---- Writing ---- */

struct write {
    struct etcd_conn *conn;
    struct cancel *cancel;
    const char *path;
    const void *data;
    size_t size;
    int64_t version; /* to compare with; 0: must not exist */
    int64_t lease;
};

/* Compare the version, then put or delete. */
static struct error *
send_compared(const struct write *write, bool is_delete, bool *ret_succeeded, int64_t *ret_revision)
{
    CLEANUP(freep) char *key = etcd_key(write->conn, write->path);
    Etcdserverpb__Compare compare = ETCDSERVERPB__COMPARE__INIT;
    compare.key = etcd_bytes(key);
    compare.target = ETCDSERVERPB__COMPARE__COMPARE_TARGET__MOD;
    compare.target_union_case = ETCDSERVERPB__COMPARE__TARGET_UNION_MOD_REVISION;
    compare.mod_revision = write->version; /* a key that does not exist has 0 */
    Etcdserverpb__PutRequest put = ETCDSERVERPB__PUT_REQUEST__INIT;
    put.key = compare.key;
    put.value = (ProtobufCBinaryData){write->size, (uint8_t *)(uintptr_t)write->data};
    put.lease = write->lease;
    Etcdserverpb__DeleteRangeRequest removal = ETCDSERVERPB__DELETE_RANGE_REQUEST__INIT;
    removal.key = compare.key;
    Etcdserverpb__RequestOp operation = ETCDSERVERPB__REQUEST_OP__INIT;
    if (is_delete) {
        operation.request_case = ETCDSERVERPB__REQUEST_OP__REQUEST_REQUEST_DELETE_RANGE;
        operation.request_delete_range = &removal;
    } else {
        operation.request_case = ETCDSERVERPB__REQUEST_OP__REQUEST_REQUEST_PUT;
        operation.request_put = &put;
    }
    Etcdserverpb__TxnRequest request = ETCDSERVERPB__TXN_REQUEST__INIT;
    Etcdserverpb__Compare *compares[] = {&compare};
    Etcdserverpb__RequestOp *operations[] = {&operation};
    request.n_compare = 1;
    request.compare = compares;
    request.n_success = 1;
    request.success = operations;
    CLEANUP(record_freep) Etcdserverpb__TxnResponse *response = NULL;
    TRY(etcd_call(write->conn, write->cancel, &method_txn, &request.base, &response));
    *ret_succeeded = response->succeeded;
    *ret_revision = response->header == NULL ? 0 : response->header->revision;
    return NULL;
}

enum seen { SEEN_NOT_APPLIED, SEEN_APPLIED, SEEN_OTHER };

/* What became of a put whose answer got lost. */
static struct error *
look_after_put(const struct write *write, enum seen *ret_seen, int64_t *ret_version)
{
    CLEANUP(topo_value_done) struct topo_value now = {0};
    struct error *error = etcd_get_at(write->conn, write->cancel, write->path, &now, NULL);
    bool is_missing = error_is(error, ERROR_NOT_FOUND);
    if (error != NULL && !is_missing)
        return error;
    error_free(error);
    int64_t version = is_missing ? 0 : now.version;
    bool is_ours = !is_missing && now.size_bytes == write->size &&
                   memcmp(now.data, write->data, write->size) == 0;
    if (version == write->version)
        *ret_seen = SEEN_NOT_APPLIED;
    else
        *ret_seen = is_ours ? SEEN_APPLIED : SEEN_OTHER;
    *ret_version = version;
    return NULL;
}

/* *ret_succeeded false: the version differed. */
static struct error *
put_compared(const struct write *write, bool *ret_succeeded, int64_t *ret_version)
{
    bool was_lost = false;
    for (int tries = 1;; tries++) {
        struct error *error = send_compared(write, false, ret_succeeded, ret_version);
        bool is_lost = etcd_outcome_is_unknown(error);
        if (error != NULL && (!is_lost || tries == WRITE_TRIES))
            return error;
        if (error == NULL && (*ret_succeeded || !was_lost))
            return NULL;
        error_free(error);
        was_lost = true;
        enum seen seen;
        TRY(look_after_put(write, &seen, ret_version));
        *ret_succeeded = seen == SEEN_APPLIED;
        if (seen != SEEN_NOT_APPLIED)
            return NULL;
    }
}

struct error *
etcd_create_leased(struct etcd_conn *conn, struct cancel *cancel, const char *path,
                   const void *data, size_t size, int64_t lease, int64_t *ret_version)
{
    struct write write = {conn, cancel, path, data, size, 0, lease};
    bool is_new;
    TRY(put_compared(&write, &is_new, ret_version));
    return is_new ? NULL : topo_error_exists(path);
}

struct error *
etcd_create(struct topo_conn *conn, struct cancel *cancel, const char *path, const void *data,
            size_t size, int64_t *ret_version)
{
    return etcd_create_leased((struct etcd_conn *)conn, cancel, path, data, size, 0, ret_version);
}

/* Putting the same contents twice is harmless: simply again when the answer got lost. */
static struct error *
put_plain(struct etcd_conn *conn, struct cancel *cancel, const char *path, const void *data,
          size_t size, int64_t lease, int64_t *ret_version)
{
    CLEANUP(freep) char *key = etcd_key(conn, path);
    Etcdserverpb__PutRequest request = ETCDSERVERPB__PUT_REQUEST__INIT;
    request.key = etcd_bytes(key);
    request.value = (ProtobufCBinaryData){size, (uint8_t *)(uintptr_t)data};
    request.lease = lease;
    for (int tries = 1;; tries++) {
        CLEANUP(record_freep) Etcdserverpb__PutResponse *response = NULL;
        struct error *error = etcd_call(conn, cancel, &method_put, &request.base, &response);
        if (error == NULL) {
            *ret_version = response->header == NULL ? 0 : response->header->revision;
            return NULL;
        }
        if (!etcd_outcome_is_unknown(error) || tries == WRITE_TRIES || cancel_is_requested(cancel))
            return error;
        error_free(error);
    }
}

struct error *
etcd_update(struct topo_conn *base, struct cancel *cancel, const char *path, const void *data,
            size_t size, int64_t version, int64_t *ret_version)
{
    struct etcd_conn *conn = (struct etcd_conn *)base;
    if (version == TOPO_ANY_VERSION)
        return put_plain(conn, cancel, path, data, size, 0, ret_version);
    struct write write = {conn, cancel, path, data, size, version, 0};
    bool is_current;
    TRY(put_compared(&write, &is_current, ret_version));
    return is_current ? NULL : topo_error_changed(path);
}

struct error *
etcd_put_leased(struct topo_conn *conn, struct cancel *cancel, const char *path, const void *data,
                size_t size, int64_t lease)
{
    int64_t version = 0;
    return put_plain((struct etcd_conn *)conn, cancel, path, data, size, lease, &version);
}

/* ---- Deleting: always compared with a version, so that a repeated one hits nothing new ---- */

static struct error *
remove_once(const struct write *write, bool was_lost, bool *ret_succeeded)
{
    int64_t revision;
    TRY(send_compared(write, true, ret_succeeded, &revision));
    if (*ret_succeeded)
        return NULL;
    CLEANUP(topo_value_done) struct topo_value now = {0};
    struct error *error = etcd_get_at(write->conn, write->cancel, write->path, &now, NULL);
    if (error_is(error, ERROR_NOT_FOUND) && was_lost) {
        error_free(error); /* gone by our own earlier try */
        *ret_succeeded = true;
        return NULL;
    }
    return error;
}

static struct error *
remove_version(const struct write *write)
{
    bool was_lost = false;
    for (int tries = 1;; tries++) {
        bool is_removed = false;
        struct error *error = remove_once(write, was_lost, &is_removed);
        if (error == NULL)
            return is_removed ? NULL : topo_error_changed(write->path);
        if (!etcd_outcome_is_unknown(error) || tries == WRITE_TRIES ||
            cancel_is_requested(write->cancel))
            return error;
        error_free(error);
        was_lost = true;
    }
}

struct error *
etcd_remove(struct topo_conn *base, struct cancel *cancel, const char *path, int64_t version)
{
    struct write write = {(struct etcd_conn *)base, cancel, path, NULL, 0, version, 0};
    if (version != TOPO_ANY_VERSION)
        return remove_version(&write);
    for (;;) {
        CLEANUP(topo_value_done) struct topo_value now = {0};
        TRY(etcd_get_at(write.conn, cancel, path, &now, NULL));
        write.version = now.version;
        struct error *error = remove_version(&write);
        if (!error_is(error, ERROR_ABORTED))
            return error;
        error_free(error);
        TRY(cancel_check(cancel));
    }
}
