/* The global topology and the cells' connections. CellInfo is read at each use, as Vitess does, so
 * that a moved cell is followed; connections given out earlier stay until topo_close(). */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "agent/topo/record_io.h"

struct cell {
    char *name, *server_address, *root;
    struct topo_conn *conn;
    struct cell *next; /* newest first */
};

struct topo {
    struct rpc_pump *pump;
    struct topo_conn *global;
    struct rpc_tls tls;
    int64_t lease_ttl_seconds;
    bool is_memory;
    pthread_mutex_t mutex;
    struct cell *cells;
};

static struct topo *
topo_new(struct topo_conn *take_global)
{
    struct topo *topo = xcalloc(1, sizeof(*topo));
    topo->global = take_global;
    pthread_mutex_init(&topo->mutex, NULL);
    return topo;
}

struct error *
topo_open(struct rpc_pump *pump, const struct topo_etcd_options *global, struct topo **ret_topo)
{
    struct topo_conn *conn = NULL;
    TRY(error_wrap(topo_etcd_new(pump, global, &conn), "global topology"));
    struct topo *topo = topo_new(conn);
    topo->pump = pump;
    topo->tls = (struct rpc_tls){
        .certificate_file = xstrdup(global->tls.certificate_file),
        .key_file = xstrdup(global->tls.key_file),
        .ca_file = xstrdup(global->tls.ca_file),
        .server_name = xstrdup(global->tls.server_name),
    };
    topo->lease_ttl_seconds = global->lease_ttl_seconds;
    *ret_topo = topo;
    return NULL;
}

struct topo *
topo_new_for_test(struct topo_conn *take_global)
{
    struct topo *topo = topo_new(take_global);
    topo->is_memory = true;
    return topo;
}

void
topo_close(struct topo *topo)
{
    if (topo == NULL)
        return;
    while (topo->cells != NULL) {
        struct cell *cell = topo->cells;
        topo->cells = cell->next;
        topo_conn_free(cell->conn);
        free(cell->name);
        free(cell->server_address);
        free(cell->root);
        free(cell);
    }
    topo_conn_free(topo->global);
    free(topo->tls.certificate_file);
    free(topo->tls.key_file);
    free(topo->tls.ca_file);
    free(topo->tls.server_name);
    pthread_mutex_destroy(&topo->mutex);
    free(topo);
}

struct topo_conn *
topo_global(struct topo *topo)
{
    return topo->global;
}

static struct error *
connect_cell(struct topo *topo, const Topodata__CellInfo *info, struct topo_conn **ret_conn)
{
    if (topo->is_memory) {
        *ret_conn = topo_memory_new();
        return NULL;
    }
    struct topo_etcd_options options = {
        .addresses = info->server_address,
        .root = info->root,
        .tls = topo->tls,
        .lease_ttl_seconds = topo->lease_ttl_seconds,
    };
    return topo_etcd_new(topo->pump, &options, ret_conn);
}

/* The newest connection of a cell; `info` NULL: wherever it leads. Mutex held. */
static struct cell *
find_cell(struct topo *topo, const char *name, const Topodata__CellInfo *info)
{
    for (struct cell *cell = topo->cells; cell != NULL; cell = cell->next) {
        if (strcmp(cell->name, name) != 0)
            continue;
        bool is_same = info == NULL || topo->is_memory ||
                       (strcmp(cell->server_address, info->server_address) == 0 &&
                        strcmp(cell->root, info->root) == 0);
        return is_same ? cell : NULL;
    }
    return NULL;
}

static struct error *
find_or_connect(struct topo *topo, const char *name, const Topodata__CellInfo *info,
                struct topo_conn **ret_conn)
{
    struct cell *cell = find_cell(topo, name, info);
    if (cell == NULL) {
        struct topo_conn *conn = NULL;
        TRY(error_wrap(connect_cell(topo, info, &conn), "topology of cell '%s'", name));
        cell = xcalloc(1, sizeof(*cell));
        cell->name = xstrdup(name);
        cell->server_address = xstrdup(info->server_address);
        cell->root = xstrdup(info->root);
        cell->conn = conn;
        cell->next = topo->cells;
        topo->cells = cell;
    }
    *ret_conn = cell->conn;
    return NULL;
}

/* Cells of a test's topology come into being when named. */
static struct error *
register_memory_cell(struct topo *topo, struct cancel *cancel, const char *name)
{
    struct error *error = topo_put_cell_info(topo, cancel, name, "memory", "/", true);
    if (error_is(error, ERROR_ALREADY_EXISTS)) {
        error_free(error);
        return NULL;
    }
    return error;
}

static bool
is_away(const struct error *error)
{
    return error_is(error, ERROR_UNAVAILABLE) || error_is(error, ERROR_DEADLINE_EXCEEDED);
}

struct error *
topo_cell(struct topo *topo, struct cancel *cancel, const char *cell, struct topo_conn **ret_conn)
{
    if (strcmp(cell, "global") == 0) {
        *ret_conn = topo->global;
        return NULL;
    }
    TRY(name_validate("cell", cell));
    if (topo->is_memory)
        TRY(register_memory_cell(topo, cancel, cell));
    CLEANUP(record_freep) Topodata__CellInfo *info = NULL;
    struct error *error = topo_get_cell_info(topo, cancel, cell, &info);
    if (error != NULL && !is_away(error))
        return error;
    pthread_mutex_lock(&topo->mutex);
    if (error == NULL) {
        error = find_or_connect(topo, cell, info, ret_conn);
    } else {
        /* The global store is away: the cell's own data can still be reached where it was. */
        const struct cell *known = find_cell(topo, cell, NULL);
        if (known != NULL) {
            *ret_conn = known->conn;
            error_free(error);
            error = NULL;
        }
    }
    pthread_mutex_unlock(&topo->mutex);
    return error;
}

/* ---- CellInfo ---- */

struct error *
topo_get_cell_info(struct topo *topo, struct cancel *cancel, const char *cell,
                   Topodata__CellInfo **ret_info)
{
    TRY(name_validate("cell", cell));
    CLEANUP(freep) char *path = xasprintf("cells/%s/CellInfo", cell);
    struct error *error =
        record_read(topo->global, cancel, path, &topodata__cell_info__descriptor, ret_info, NULL);
    return record_name_missing(error,
                               "cell '%s' is not registered: run 'vtagent ctl AddCellInfo "
                               "--server-address ADDRESS --root ROOT %s'",
                               cell, cell);
}

struct error *
topo_put_cell_info(struct topo *topo, struct cancel *cancel, const char *cell,
                   const char *server_address, const char *root, bool must_be_new)
{
    TRY(name_validate("cell", cell));
    Topodata__CellInfo info = TOPODATA__CELL_INFO__INIT;
    info.server_address = (char *)server_address;
    info.root = (char *)root;
    CLEANUP(freep) char *path = xasprintf("cells/%s/CellInfo", cell);
    if (!must_be_new)
        return record_write(topo->global, cancel, path, &info.base, TOPO_ANY_VERSION);
    struct error *error = record_create(topo->global, cancel, path, &info.base);
    if (error_is(error, ERROR_ALREADY_EXISTS)) {
        error_free(error);
        return error_new(ERROR_ALREADY_EXISTS, "cell '%s' is registered already", cell);
    }
    return error;
}

struct error *
topo_list_cells(struct topo *topo, struct cancel *cancel, struct strv *ret_cells)
{
    return record_ignore_missing(topo_list_directory(topo->global, cancel, "cells", ret_cells));
}
