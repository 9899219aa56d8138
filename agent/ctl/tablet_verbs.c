/* One tablet at a time: its type, its replication, its health. */
#include <string.h>

#include "agent/ctl/print.h"
#include "agent/ctl/shard.h"

static struct error *
call_simply(struct ctl *ctl, const char *method)
{
    CLEANUP(record_freep) Topodata__Tablet *tablet = NULL;
    TRY(ctl_read_tablet(ctl, 0, &tablet));
    return ctl_call(ctl, tablet, method, NULL, ctl->cancel, ctl->options.remote_timeout_ms, NULL);
}

static struct error *
ping_tablet(struct ctl *ctl)
{
    Tabletmanagerdata__PingRequest request = TABLETMANAGERDATA__PING_REQUEST__INIT;
    request.payload = (char *)(uintptr_t) "payload";
    CLEANUP(record_freep) Topodata__Tablet *tablet = NULL;
    CLEANUP(record_freep) Tabletmanagerdata__PingResponse *response = NULL;
    TRY(ctl_read_tablet(ctl, 0, &tablet));
    TRY(ctl_call(ctl, tablet, "Ping", &request.base, ctl->cancel, ctl->options.remote_timeout_ms,
                 &response));
    if (strcmp(response->payload, request.payload) != 0)
        return error_new(ERROR_INTERNAL, "tablet '%s' answers '%s' instead of '%s'",
                         alias_text_of(tablet).text, response->payload, request.payload);
    return NULL;
}

static struct error *
refresh_state(struct ctl *ctl)
{
    return call_simply(ctl, "RefreshState");
}

static struct error *
run_health_check(struct ctl *ctl)
{
    return call_simply(ctl, "RunHealthCheck");
}

static struct error *
set_read_only(struct ctl *ctl)
{
    return call_simply(ctl, "SetReadOnly");
}

static struct error *
set_read_write(struct ctl *ctl)
{
    return call_simply(ctl, "SetReadWrite");
}

static struct error *
set_writable(struct ctl *ctl)
{
    const char *word = ctl->words.items[1];
    if (strcmp(word, "true") == 0)
        return set_read_write(ctl);
    if (strcmp(word, "false") == 0)
        return set_read_only(ctl);
    return ctl_wrong_use(ctl, "expected true or false, not '%s'", word);
}

static struct error *
stop_replication(struct ctl *ctl)
{
    return call_simply(ctl, "StopReplication");
}

static struct error *
start_replication(struct ctl *ctl)
{
    CLEANUP(record_freep) Topodata__Tablet *tablet = NULL;
    TRY(ctl_read_tablet(ctl, 0, &tablet));
    bool acks;
    TRY(ctl_read_replica_acks(ctl, tablet, tablet->type, &acks));
    Tabletmanagerdata__StartReplicationRequest request =
        TABLETMANAGERDATA__START_REPLICATION_REQUEST__INIT;
    request.semisync = acks;
    return ctl_call(ctl, tablet, "StartReplication", &request.base, ctl->cancel,
                    ctl->options.remote_timeout_ms, NULL);
}

static struct error *
reparent_tablet(struct ctl *ctl)
{
    CLEANUP(record_freep) Topodata__Tablet *tablet = NULL;
    CLEANUP(record_freep) Topodata__Tablet *primary = NULL;
    TRY(ctl_read_tablet(ctl, 0, &tablet));
    TRY(ctl_read_primary(ctl, tablet, &primary));
    if (alias_messages_equal(tablet->alias, primary->alias))
        return error_new(ERROR_FAILED_PRECONDITION,
                         "tablet '%s' is its shard's primary: it cannot follow itself",
                         alias_text_of(tablet).text);
    bool acks;
    TRY(ctl_read_replica_acks(ctl, tablet, tablet->type, &acks));
    struct set_source source = {
        .parent = primary->alias, .wait_position = "", .wants_semi_sync = acks};
    return call_set_source(ctl, tablet, &source, ctl->cancel, ctl->options.remote_timeout_ms);
}

/* ---- Types ---- */

static struct error *
call_change_type(struct ctl *ctl, const Topodata__Tablet *tablet, Topodata__TabletType type,
                 bool wants_semi_sync)
{
    Tabletmanagerdata__ChangeTypeRequest request = TABLETMANAGERDATA__CHANGE_TYPE_REQUEST__INIT;
    request.tablet_type = type;
    request.semisync = wants_semi_sync;
    return ctl_call(ctl, tablet, "ChangeType", &request.base, ctl->cancel,
                    ctl->options.remote_timeout_ms, NULL);
}

static struct error *
print_change(struct ctl *ctl, const Topodata__Tablet *before, Topodata__TabletType after)
{
    ctl_note(ctl, "%s: %s -> %s%s", alias_text_of(before).text, tablet_type_name(before->type),
             tablet_type_name(after), ctl->options.is_dry_run ? " (dry run)" : "");
    return NULL;
}

static struct error *
change_tablet_type(struct ctl *ctl)
{
    Topodata__TabletType type;
    CLEANUP(record_freep) Topodata__Tablet *tablet = NULL;
    CLEANUP(record_freep) Topodata__Tablet *primary = NULL;
    TRY(ctl_parse_type(ctl, ctl->words.items[1], &type));
    TRY(ctl_read_tablet(ctl, 0, &tablet));
    if (!tablet_type_change_is_trivial(tablet->type, type))
        return error_new(
            ERROR_FAILED_PRECONDITION, "tablet '%s' cannot go from %s to %s: %s",
            alias_text_of(tablet).text, tablet_type_name(tablet->type), tablet_type_name(type),
            type == TOPODATA__TABLET_TYPE__PRIMARY || tablet->type == TOPODATA__TABLET_TYPE__PRIMARY
                ? "use PlannedReparentShard"
                : "that needs more than a change of type");
    if (ctl->options.is_dry_run)
        return print_change(ctl, tablet, type);
    TRY(ctl_read_primary(ctl, tablet, &primary));
    bool acks;
    TRY(ctl_read_replica_acks(ctl, tablet, type, &acks));
    TRY(call_change_type(ctl, tablet, type, acks));
    return print_change(ctl, tablet, type);
}

static struct error *
tablet_externally_reparented(struct ctl *ctl)
{
    CLEANUP(record_freep) Topodata__Tablet *tablet = NULL;
    const struct durability_policy *policy;
    TRY(ctl_read_tablet(ctl, 0, &tablet));
    if (tablet->type == TOPODATA__TABLET_TYPE__PRIMARY) {
        ctl_note(ctl, "%s is primary already", alias_text_of(tablet).text);
        return NULL;
    }
    TRY(ctl_read_durability(ctl, tablet->keyspace, &policy));
    return call_change_type(ctl, tablet, TOPODATA__TABLET_TYPE__PRIMARY,
                            durability_ackers_needed(policy) > 0);
}

/* ---- The table ---- */

static const struct option_row dry_run_rows[] = {
    CTL_OPTION("dry-run", OPTION_FLAG, is_dry_run, NULL, "say what would happen"),
};

#define TABLETS "Tablets"
static const struct ctl_verb verbs[] = {
    {"PingTablet", "Ping", TABLETS, "TABLET", "asks a tablet for a sign of life", NULL, 0, 1, 1,
     ping_tablet, false},
    {"ChangeTabletType", "ChangeSlaveType", TABLETS, "[--dry-run] TABLET TYPE",
     "makes a replica rdonly, spare, …", CTL_ROWS(dry_run_rows), 2, 2, change_tablet_type, false},
    {"SetWritable", NULL, TABLETS, "TABLET true|false", "allows or forbids writes", NULL, 0, 2, 2,
     set_writable, false},
    {"SetReadOnly", NULL, TABLETS, "TABLET", "forbids writes", NULL, 0, 1, 1, set_read_only, false},
    {"SetReadWrite", NULL, TABLETS, "TABLET", "allows writes", NULL, 0, 1, 1, set_read_write,
     false},
    {"StartReplication", "StartSlave", TABLETS, "TABLET", "starts replication", NULL, 0, 1, 1,
     start_replication, false},
    {"StopReplication", "StopSlave", TABLETS, "TABLET", "stops replication", NULL, 0, 1, 1,
     stop_replication, false},
    {"ReparentTablet", NULL, TABLETS, "TABLET", "makes it follow its shard's primary", NULL, 0, 1,
     1, reparent_tablet, false},
    {"RefreshState", NULL, TABLETS, "TABLET", "makes it read its records again", NULL, 0, 1, 1,
     refresh_state, false},
    {"RunHealthCheck", NULL, TABLETS, "TABLET", "makes it tell its health now", NULL, 0, 1, 1,
     run_health_check, false},
    {"TabletExternallyReparented", NULL, TABLETS, "TABLET",
     "accepts as primary what another tool promoted", NULL, 0, 1, 1, tablet_externally_reparented,
     false},
};

struct ctl_family
tablet_verbs(void)
{
    return (struct ctl_family){verbs, ARRAY_LENGTH(verbs)};
}
