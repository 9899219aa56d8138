#include "agent/actions/own_writes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/memory.h"

struct gtid {
    unsigned domain, server;
    unsigned long long sequence;
};

static bool
gtid_parse(const char *text, struct gtid *ret_gtid)
{
    char rest;
    return sscanf(text, "%u-%u-%llu%c", &ret_gtid->domain, &ret_gtid->server, &ret_gtid->sequence,
                  &rest) == 3;
}

void
own_writes_of(const char *set, uint32_t server_id, struct strv *ret_gtids)
{
    CLEANUP(strv_done) struct strv all = {0};
    strv_split(&all, set, ',');
    for (size_t i = 0; i < all.count; i++) {
        struct gtid gtid;
        if (gtid_parse(all.items[i], &gtid) && gtid.server == server_id)
            strv_add(ret_gtids, all.items[i]);
    }
}

bool
own_writes_are_in(const char *state, const char *gtid)
{
    struct gtid wanted, found;
    if (!gtid_parse(gtid, &wanted))
        return true;
    CLEANUP(strv_done) struct strv all = {0};
    strv_split(&all, state, ',');
    for (size_t i = 0; i < all.count; i++)
        if (gtid_parse(all.items[i], &found) && found.domain == wanted.domain &&
            found.server == wanted.server && found.sequence >= wanted.sequence)
            return true;
    return false;
}

/* The first cell of the first row; caller frees. NULL: there is none. */
static char *
first_cell(const Tabletmanagerdata__ExecuteFetchAsDbaResponse *response)
{
    const Query__QueryResult *result = response->result;
    if (result == NULL || result->n_rows == 0 || result->rows[0]->n_lengths == 0 ||
        result->rows[0]->lengths[0] < 0 ||
        (uint64_t)result->rows[0]->lengths[0] > result->rows[0]->values.len)
        return NULL;
    return xstrndup((const char *)result->rows[0]->values.data,
                    (size_t)result->rows[0]->lengths[0]);
}

static struct error *
ask_state(struct tablet_context *context, struct cancel *cancel, const Topodata__Tablet *parent,
          char **ret_state)
{
    static const char sql[] = "SELECT @@global.gtid_binlog_state";
    Tabletmanagerdata__ExecuteFetchAsDbaRequest request =
        TABLETMANAGERDATA__EXECUTE_FETCH_AS_DBA_REQUEST__INIT;
    request.query = (ProtobufCBinaryData){.len = strlen(sql), .data = (uint8_t *)sql};
    request.max_rows = 1;
    ProtobufCMessage *response = NULL;
    TRY(tm_call(context->tm_client, parent, "ExecuteFetchAsDba", &request.base,
                &tabletmanagerdata__execute_fetch_as_dba_response__descriptor, cancel, &response));
    *ret_state = first_cell((const Tabletmanagerdata__ExecuteFetchAsDbaResponse *)response);
    protobuf_c_message_free_unpacked(response, NULL);
    return NULL;
}

struct error *
own_writes_refuse(struct tablet_context *context, struct cancel *cancel,
                  const struct full_status *now, const struct position *executed,
                  const Topodata__Tablet *parent)
{
    if (position_flavor_of(executed) != POSITION_MARIADB)
        return NULL;
    CLEANUP(freep) char *set = position_set_text(executed);
    CLEANUP(strv_done) struct strv ours = {0};
    own_writes_of(set, now->server_id, &ours);
    if (ours.count == 0)
        return NULL;
    CLEANUP(freep) char *state = NULL;
    struct error *error = ask_state(context, cancel, parent, &state);
    if (error != NULL) {
        error_free(error);
        return cancel_check(cancel);
    }
    for (size_t i = 0; state != NULL && i < ours.count; i++)
        if (!own_writes_are_in(state, ours.items[i]))
            return error_new(ERROR_FAILED_PRECONDITION,
                             "Errant GTID detected - Errant GTID: %s; Replica GTID Position: %s",
                             ours.items[i], set);
    return NULL;
}
