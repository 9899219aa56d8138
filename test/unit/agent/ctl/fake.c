#include "fake.h"

#include <criterion/criterion.h>

#include <stdlib.h>
#include <string.h>

void
must(struct error *error)
{
    if (error != NULL)
        fprintf(stderr, "unexpected: %s: %s\n", error_code_name(error->code), error->message);
    cr_assert_null(error);
}

void
must_be(struct error *error, enum error_code code, const char *part)
{
    bool is_expected = error != NULL && error->code == code &&
                       (part == NULL || strstr(error->message, part) != NULL);
    if (!is_expected)
        fprintf(stderr, "expected %s '%s', got %s: %s\n", error_code_name(code),
                part == NULL ? "" : part, error == NULL ? "success" : error_code_name(error->code),
                error == NULL ? "" : error->message);
    cr_assert(is_expected);
    error_free(error);
}

static char *
literal(const char *text)
{
    return (char *)(uintptr_t)(text == NULL ? "" : text);
}

/* ---- Answers ---- */

static void
note_call(struct fake *fake, const Topodata__Tablet *tablet, const char *method,
          const ProtobufCMessage *request)
{
    CLEANUP(freep) char *arguments = NULL;
    if (strcmp(method, "SetReplicationSource") == 0) {
        const Tabletmanagerdata__SetReplicationSourceRequest *source = (const void *)request;
        arguments = xasprintf(" parent=%u%s%s%s", source->parent->uid,
                              source->force_start_replication ? " force" : "",
                              source->semisync ? " semisync" : "",
                              source->wait_position[0] != '\0' ? " waits" : "");
    } else if (strcmp(method, "PromoteReplica") == 0) {
        const Tabletmanagerdata__PromoteReplicaRequest *promotion = (const void *)request;
        arguments = xstrdup(promotion->semisync ? " semisync" : "");
    } else if (strcmp(method, "WaitForPosition") == 0) {
        const Tabletmanagerdata__WaitForPositionRequest *wait = (const void *)request;
        arguments = xasprintf(" %s", wait->position);
    } else if (strcmp(method, "DemotePrimary") == 0) {
        const Tabletmanagerdata__DemotePrimaryRequest *demotion = (const void *)request;
        arguments = xstrdup(demotion->force ? " force" : "");
    } else if (strcmp(method, "PopulateReparentJournal") == 0) {
        const Tabletmanagerdata__PopulateReparentJournalRequest *row = (const void *)request;
        arguments = xasprintf(" %s", row->action_name);
    }
    pthread_mutex_lock(&fake->mutex);
    strv_addf(&fake->calls, "%s %u%s", method, tablet->alias->uid,
              arguments == NULL ? "" : arguments);
    pthread_mutex_unlock(&fake->mutex);
}

static void
fill_status(const struct fake_tablet *tablet, Replicationdata__Status *status)
{
    replicationdata__status__init(status);
    status->position = literal(tablet->executed);
    status->relay_log_position = literal(tablet->relay == NULL ? tablet->executed : tablet->relay);
    status->source_uuid = literal(tablet->source_uuid);
    status->replication_lag_seconds = tablet->lag_seconds;
    status->replication_lag_unknown = tablet->has_unknown_lag;
    status->backup_running = tablet->has_backup;
    status->io_state = 3;
    status->sql_state = 3;
}

/* A copy that the caller may free, made through the wire's form. */
static ProtobufCMessage *
copied(const ProtobufCMessage *message)
{
    size_t size = protobuf_c_message_get_packed_size(message);
    CLEANUP(freep) uint8_t *data = xmalloc(size + 1);
    protobuf_c_message_pack(message, data);
    return protobuf_c_message_unpack(message->descriptor, NULL, size, data);
}

static ProtobufCMessage *
answer_status(const struct fake_tablet *tablet, bool is_stop)
{
    Replicationdata__Status status;
    fill_status(tablet, &status);
    if (!is_stop) {
        Tabletmanagerdata__ReplicationStatusResponse response =
            TABLETMANAGERDATA__REPLICATION_STATUS_RESPONSE__INIT;
        response.status = &status;
        return copied(&response.base);
    }
    Replicationdata__StopReplicationStatus stopped = REPLICATIONDATA__STOP_REPLICATION_STATUS__INIT;
    stopped.before = &status;
    stopped.after = &status;
    Tabletmanagerdata__StopReplicationAndGetStatusResponse response =
        TABLETMANAGERDATA__STOP_REPLICATION_AND_GET_STATUS_RESPONSE__INIT;
    response.status = &stopped;
    return copied(&response.base);
}

static ProtobufCMessage *
answer_primary_status(const struct fake_tablet *tablet, bool is_demotion)
{
    Replicationdata__PrimaryStatus status = REPLICATIONDATA__PRIMARY_STATUS__INIT;
    status.position = literal(tablet->executed);
    if (is_demotion) {
        Tabletmanagerdata__DemotePrimaryResponse response =
            TABLETMANAGERDATA__DEMOTE_PRIMARY_RESPONSE__INIT;
        response.primary_status = &status;
        return copied(&response.base);
    }
    Tabletmanagerdata__PrimaryStatusResponse response =
        TABLETMANAGERDATA__PRIMARY_STATUS_RESPONSE__INIT;
    response.status = &status;
    return copied(&response.base);
}

static ProtobufCMessage *
answer_variables(const struct fake_tablet *tablet)
{
    Tabletmanagerdata__GetGlobalStatusVarsResponse response =
        TABLETMANAGERDATA__GET_GLOBAL_STATUS_VARS_RESPONSE__INIT;
    Tabletmanagerdata__GetGlobalStatusVarsResponse__StatusValuesEntry entry =
        TABLETMANAGERDATA__GET_GLOBAL_STATUS_VARS_RESPONSE__STATUS_VALUES_ENTRY__INIT;
    Tabletmanagerdata__GetGlobalStatusVarsResponse__StatusValuesEntry *entries[] = {&entry};
    entry.key = literal("Innodb_buffer_pool_pages_data");
    entry.value = literal(tablet->buffer_pool == NULL ? "1" : tablet->buffer_pool);
    response.n_status_values = 1;
    response.status_values = entries;
    return copied(&response.base);
}

/* PrimaryPosition, PromoteReplica and InitPrimary answer with one text, field 1. */
static ProtobufCMessage *
answer_position(const struct fake_tablet *tablet, const ProtobufCMessageDescriptor *descriptor)
{
    Tabletmanagerdata__PrimaryPositionResponse response =
        TABLETMANAGERDATA__PRIMARY_POSITION_RESPONSE__INIT;
    response.position = literal(tablet->executed);
    size_t size = tabletmanagerdata__primary_position_response__get_packed_size(&response);
    CLEANUP(freep) uint8_t *data = xmalloc(size + 1);
    tabletmanagerdata__primary_position_response__pack(&response, data);
    return protobuf_c_message_unpack(descriptor, NULL, size, data);
}

static ProtobufCMessage *
answer(const struct fake_tablet *tablet, const char *method,
       const ProtobufCMessageDescriptor *descriptor)
{
    if (strcmp(method, "ReplicationStatus") == 0)
        return answer_status(tablet, false);
    if (strcmp(method, "StopReplicationAndGetStatus") == 0)
        return answer_status(tablet, true);
    if (strcmp(method, "DemotePrimary") == 0 || strcmp(method, "PrimaryStatus") == 0)
        return answer_primary_status(tablet, strcmp(method, "DemotePrimary") == 0);
    if (strcmp(method, "GetGlobalStatusVars") == 0)
        return answer_variables(tablet);
    if (strcmp(method, "PrimaryPosition") == 0 || strcmp(method, "PromoteReplica") == 0 ||
        strcmp(method, "InitPrimary") == 0)
        return answer_position(tablet, descriptor);
    if (strcmp(method, "ReadReparentJournalInfo") == 0) {
        Tabletmanagerdata__ReadReparentJournalInfoResponse response =
            TABLETMANAGERDATA__READ_REPARENT_JOURNAL_INFO_RESPONSE__INIT;
        response.length = (int32_t)tablet->journal_length;
        return copied(&response.base);
    }
    return protobuf_c_message_unpack(descriptor, NULL, 0, (const uint8_t *)"");
}

static struct error *
fake_call(struct ctl *ctl, const Topodata__Tablet *tablet, const char *method,
          const ProtobufCMessage *request, const ProtobufCMessageDescriptor *descriptor,
          struct cancel *cancel, ProtobufCMessage **ret_response)
{
    struct fake *fake = ctl->call_data;
    const struct fake_tablet *found = NULL;
    (void)cancel; /* an answer is never late here */
    for (size_t i = 0; i < fake->count; i++) {
        if (fake->tablets[i].uid == tablet->alias->uid)
            found = &fake->tablets[i];
    }
    note_call(fake, tablet, method, request);
    if (found->fails != NULL &&
        (strcmp(found->fails, "*") == 0 || strcmp(found->fails, method) == 0))
        return error_new(ERROR_UNAVAILABLE, "TabletManager.%s on zone1-%010u: gone", method,
                         found->uid);
    bool asks_replica = strcmp(method, "ReplicationStatus") == 0 ||
                        strcmp(method, "StopReplicationAndGetStatus") == 0;
    if (asks_replica && !found->is_replica)
        return error_from_mysql(100, "HY000", "no replication status");
    *ret_response = answer(found, method, descriptor);
    return NULL;
}

/* ---- The shard ---- */

static bool
name_primary(Topodata__Shard *shard, void *data)
{
    record_set_alias(&shard->primary_alias, data);
    record_set_time(&shard->primary_term_start_time, 1000000000);
    return true;
}

static void
register_tablet(struct fake *fake, const struct fake_tablet *tablet)
{
    Topodata__TabletAlias alias = TOPODATA__TABLET_ALIAS__INIT;
    alias.cell = literal(tablet->cell == NULL ? "zone1" : tablet->cell);
    alias.uid = tablet->uid;
    Topodata__Tablet record = TOPODATA__TABLET__INIT;
    Vttime__Time term = VTTIME__TIME__INIT;
    term.seconds = 1;
    record.alias = &alias;
    record.hostname = literal("host");
    record.keyspace = literal("commerce");
    record.shard = literal("0");
    record.type = tablet->type;
    if (tablet->type == TOPODATA__TABLET_TYPE__PRIMARY)
        record.primary_term_start_time = &term;
    must(topo_register_tablet(fake->ctl.topo, NULL, &record));
}

static void
create_shard(struct fake *fake, const char *durability, uint32_t primary_uid)
{
    Topodata__Keyspace keyspace = TOPODATA__KEYSPACE__INIT;
    keyspace.durability_policy = literal(durability);
    must(topo_create_keyspace(fake->ctl.topo, NULL, "commerce", &keyspace));
    Topodata__Shard *shard = NULL;
    must(topo_get_or_create_shard(fake->ctl.topo, NULL, "commerce", "0", &shard, NULL));
    record_freep(&shard);
    struct tablet_alias alias = {"zone1", primary_uid};
    if (primary_uid != 0)
        must(topo_update_shard(fake->ctl.topo, NULL, "commerce", "0", name_primary, &alias));
}

struct fake *
fake_new(const char *durability, uint32_t primary_uid, const struct fake_tablet *tablets,
         size_t count)
{
    struct fake *fake = xcalloc(1, sizeof(*fake));
    pthread_mutex_init(&fake->mutex, NULL);
    fake->count = count;
    memcpy(fake->tablets, tablets, count * sizeof(*tablets));
    struct ctl *ctl = &fake->ctl;
    ctl->topo = topo_new_for_test(topo_memory_new());
    ctl->cancel = cancel_new_child(NULL, 60000);
    ctl->call = fake_call;
    ctl->call_data = fake;
    ctl->options.remote_timeout_ms = 15000;
    pthread_mutex_init(&ctl->output_mutex, NULL);
    ctl->out = open_memstream(&fake->out_text, &fake->out_size);
    ctl->err = open_memstream(&fake->err_text, &fake->err_size);
    create_shard(fake, durability, primary_uid);
    for (size_t i = 0; i < count; i++)
        register_tablet(fake, &tablets[i]);
    return fake;
}

void
fake_free(struct fake *fake)
{
    fclose(fake->ctl.out);
    fclose(fake->ctl.err);
    free(fake->out_text);
    free(fake->err_text);
    topo_close(fake->ctl.topo);
    cancel_unref(fake->ctl.cancel);
    strv_done(&fake->ctl.words);
    ctl_options_done(&fake->ctl.options);
    pthread_mutex_destroy(&fake->ctl.output_mutex);
    pthread_mutex_destroy(&fake->mutex);
    strv_done(&fake->calls);
    free(fake);
}

int
fake_find(const struct fake *fake, const char *call)
{
    for (size_t i = 0; i < fake->calls.count; i++) {
        if (str_starts_with(fake->calls.items[i], call))
            return (int)i;
    }
    return -1;
}

bool
fake_in_order(const struct fake *fake, const char *first, const char *second)
{
    int a = fake_find(fake, first), b = fake_find(fake, second);
    bool is_right = a >= 0 && b > a;
    for (size_t i = 0; !is_right && i < fake->calls.count; i++)
        fprintf(stderr, "%s\n", fake->calls.items[i]);
    return is_right;
}

const char *
fake_out(struct fake *fake)
{
    fflush(fake->ctl.out);
    return fake->out_text;
}

const char *
fake_err(struct fake *fake)
{
    fflush(fake->ctl.err);
    return fake->err_text;
}

uint32_t
fake_shard_primary(struct fake *fake)
{
    Topodata__Shard *shard = NULL;
    must(topo_get_shard(fake->ctl.topo, NULL, "commerce", "0", &shard, NULL));
    uint32_t uid = shard->primary_alias == NULL ? 0 : shard->primary_alias->uid;
    record_freep(&shard);
    return uid;
}
