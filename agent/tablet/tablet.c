#include "agent/tablet/tablet_private.h"

#include <stdio.h>
#include <string.h>

#include "agent/base/clock.h"
#include "agent/base/log.h"
#include "agent/base/memory.h"

#define COMPONENT "tablet"

struct tablet *
tablet_new(const struct tablet_options *options)
{
    struct tablet *tablet = xcalloc(1, sizeof(*tablet));
    tablet->options = *options;
    tablet->options.tag_names = tablet->options.tag_values = NULL;
    tablet->database_override = xstrdup(options->database_override);
    tablet->charset = xstrdup(options->charset);
    tablet->role.state = STATE_STARTING;
    tablet->mysql_port = options->mysql_port;
    for (size_t i = 0; options->tag_names != NULL && i < options->tag_names->count; i++) {
        strv_add(&tablet->tag_names, options->tag_names->items[i]);
        strv_add(&tablet->tag_values, options->tag_values->items[i]);
    }
    snprintf(tablet->health_reason, sizeof(tablet->health_reason), "not checked yet");
    return tablet;
}

void
tablet_free(struct tablet *tablet)
{
    if (tablet == NULL)
        return;
    strv_done(&tablet->tag_names);
    strv_done(&tablet->tag_values);
    freep(&tablet->database_override);
    freep(&tablet->charset);
    freep(&tablet);
}

void
tablet_bind(struct tablet *tablet, struct tablet_context *context)
{
    tablet->context = context;
    context->tablet = tablet;
}

void
tablet_remember(struct tablet *tablet, const char *text)
{
    if (tablet->history_count < TABLET_HISTORY)
        tablet->history_count++;
    memmove(&tablet->history[1], &tablet->history[0],
            (tablet->history_count - 1) * sizeof(tablet->history[0]));
    tablet->history[0].time_ns = clock_wall_ns();
    snprintf(tablet->history[0].text, sizeof(tablet->history[0].text), "%s", text);
    LOG_INFO(COMPONENT, "%s", text);
}

struct tablet_facts
tablet_facts_now(const struct tablet *tablet)
{
    const struct tablet_identity *identity = tablet->options.identity;
    return (struct tablet_facts){
        .alias = &identity->alias,
        .hostname = identity->hostname,
        .keyspace = identity->keyspace,
        .shard = identity->shard,
        .mysql_hostname = identity->mysql_hostname,
        .database_override = tablet->database_override,
        .http_port = identity->http_port,
        .grpc_port = identity->grpc_port,
        .mysql_port = tablet->mysql_port,
        .type = tablet->role.type,
        .term_start_ns = tablet->role.term_start_ns,
        .start_time_ns = tablet->options.start_time_ns,
        .shutdown_time_ns = tablet->shutdown_time_ns,
        .collation = tablet_collation_of(tablet->charset, tablet->is_mariadb),
        .tag_names = &tablet->tag_names,
        .tag_values = &tablet->tag_values,
    };
}

/* ---- The snapshot ---- */

/* Why a state does not serve by itself; NULL when it is health that decides. */
static const char *
idle_reason(const struct tablet *tablet)
{
    switch (tablet->role.state) {
    case STATE_STARTING:
        return "the tablet is starting";
    case STATE_DEMOTED:
        return "demoted: read-only until it gets a new role";
    case STATE_BACKUP:
        return "a backup is being taken";
    case STATE_RESTORE:
        return "a backup is being restored";
    case STATE_STOPPED:
        return "the tablet is shutting down";
    case STATE_FOLLOWING:
        if (tablet->role.type == TOPODATA__TABLET_TYPE__SPARE)
            return "type SPARE does not serve";
        break;
    case STATE_PRIMARY:
    case STATE_DRAINED:
    case STATE_COUNT:
        break;
    }
    return NULL;
}

static void
fill_snapshot(const struct tablet *tablet, struct tablet_snapshot *snapshot)
{
    const char *reason = idle_reason(tablet);
    if (reason == NULL)
        reason = tablet->health_reason;
    *snapshot = (struct tablet_snapshot){
        .type = tablet->role.type,
        .term_start_ns = tablet->role.term_start_ns,
        .is_serving =
            tablet->is_healthy && !tablet->must_catch_up && states_is_serving(&tablet->role),
        .is_backup_running = tablet->is_backup_running,
        .is_demoting = tablet->role.state == STATE_DEMOTED,
        .is_disk_stalled = tablet->is_disk_stalled,
        .mysql_port = tablet->mysql_port,
        .data_as_of_ms = tablet->data_as_of_ms,
    };
    snprintf(snapshot->reason, sizeof(snapshot->reason), "%s", reason);
}

const char *
tablet_sentence(const struct tablet_snapshot *snapshot, char text[TABLET_SENTENCE])
{
    if (snapshot->is_serving)
        snprintf(text, TABLET_SENTENCE, "%s, serving, %s", tablet_type_name(snapshot->type),
                 snapshot->reason);
    else
        snprintf(text, TABLET_SENTENCE, "not serving: %s", snapshot->reason);
    return text;
}

struct snapshot_call {
    const struct tablet *tablet;
    struct tablet_snapshot *snapshot;
    enum tablet_state state;
};

static void
snapshot_on_loop(void *data)
{
    struct snapshot_call *call = data;
    fill_snapshot(call->tablet, call->snapshot);
    call->state = call->tablet->role.state;
}

void
tablet_get_snapshot(struct tablet *tablet, struct tablet_snapshot *ret_snapshot)
{
    struct snapshot_call call = {.tablet = tablet, .snapshot = ret_snapshot};
    loop_call(tablet->options.loop, "tablet_get_snapshot", snapshot_on_loop, &call);
}

enum tablet_state
tablet_get_state(struct tablet *tablet)
{
    struct tablet_snapshot snapshot;
    struct snapshot_call call = {.tablet = tablet, .snapshot = &snapshot};
    loop_call(tablet->options.loop, "tablet_get_state", snapshot_on_loop, &call);
    return call.state;
}

void
tablet_get_view(struct tablet *tablet, struct tablet_view *ret_view)
{
    loop_assert(tablet->options.loop);
    fill_snapshot(tablet, &ret_view->snapshot);
    ret_view->state = tablet->role.state;
    ret_view->must_catch_up = tablet->must_catch_up;
    memcpy(ret_view->history, tablet->history, sizeof(tablet->history));
    ret_view->history_count = tablet->history_count;
    ret_view->is_published = tablet->is_publishing;
    memcpy(ret_view->publish_error, tablet->publish_error, sizeof(tablet->publish_error));
}

/* ---- Changes ---- */

struct walk_call {
    struct tablet *tablet;
    enum tablet_event event;
    Topodata__TabletType type;
    int64_t term_start_ns;
    bool is_question;
    struct error *error;
};

static void
walk_on_loop(void *data)
{
    struct walk_call *call = data;
    struct tablet *tablet = call->tablet;
    struct tablet_role before = tablet->role;
    if (call->is_question) {
        call->error = states_check(&tablet->role, call->event);
        return;
    }
    call->error = states_walk(&tablet->role, call->event, call->type, call->term_start_ns);
    if (call->error != NULL)
        return;
    if (before.state == tablet->role.state && before.type == tablet->role.type &&
        before.term_start_ns == tablet->role.term_start_ns)
        return;
    if (call->event == EVENT_STOP)
        tablet->shutdown_time_ns = clock_wall_ns();
    char text[320];
    snprintf(text, sizeof(text), "%s: %s -> %s, type %s", states_event_name(call->event),
             states_name(before.state), states_name(tablet->role.state),
             tablet_type_name(tablet->role.type));
    tablet_remember(tablet, text);
    if (tablet->context != NULL && tablet->context->on_change != NULL)
        tablet->context->on_change(tablet->context->on_change_data);
}

struct error *
tablet_walk(struct tablet_context *context, enum tablet_event event, Topodata__TabletType type,
            int64_t term_start_ns)
{
    struct walk_call call = {
        .tablet = context->tablet, .event = event, .type = type, .term_start_ns = term_start_ns};
    loop_call(context->loop, "tablet_walk", walk_on_loop, &call);
    return call.error;
}

struct error *
tablet_check_event(struct tablet_context *context, enum tablet_event event)
{
    struct walk_call call = {.tablet = context->tablet, .event = event, .is_question = true};
    loop_call(context->loop, "tablet_check_event", walk_on_loop, &call);
    return call.error;
}

void
tablet_set_demoting(struct tablet_context *context, bool is_demoting)
{
    enum tablet_event event = is_demoting ? EVENT_DEMOTE : EVENT_UNDO_DEMOTE;
    log_error_take(LOG_LEVEL_WARN, COMPONENT,
                   tablet_walk(context, event, TOPODATA__TABLET_TYPE__UNKNOWN, 0), "'%s' ignored",
                   states_event_name(event));
}

/* ---- Small fields ---- */

struct field_call {
    struct tablet *tablet;
    bool flag, is_disk_stalled;
    int32_t number;
    const char *text;
};

static void
set_backup_running_on_loop(void *data)
{
    struct field_call *call = data;
    call->tablet->is_backup_running = call->flag;
}

void
tablet_set_backup_running(struct tablet_context *context, bool is_running)
{
    struct field_call call = {.tablet = context->tablet, .flag = is_running};
    loop_call(context->loop, "tablet_set_backup_running", set_backup_running_on_loop, &call);
}

static void
set_catch_up_on_loop(void *data)
{
    struct field_call *call = data;
    if (call->tablet->must_catch_up == call->flag)
        return;
    call->tablet->must_catch_up = call->flag;
    tablet_remember(call->tablet, call->flag
                                      ? "restored: not serving before replication has caught up"
                                      : "replication has caught up after the restore");
}

void
tablet_must_catch_up(struct tablet_context *context)
{
    struct field_call call = {.tablet = context->tablet, .flag = true};
    loop_call(context->loop, "tablet_must_catch_up", set_catch_up_on_loop, &call);
}

void
tablet_set_caught_up(struct tablet_context *context)
{
    struct field_call call = {.tablet = context->tablet, .flag = false};
    loop_call(context->loop, "tablet_set_caught_up", set_catch_up_on_loop, &call);
}

static void
set_server_on_loop(void *data)
{
    struct field_call *call = data;
    if (call->number > 0)
        call->tablet->mysql_port = call->number;
    call->tablet->is_mariadb = call->flag;
}

void
tablet_set_server(struct tablet_context *context, int32_t mysql_port, bool is_mariadb)
{
    struct field_call call = {.tablet = context->tablet, .number = mysql_port, .flag = is_mariadb};
    loop_call(context->loop, "tablet_set_server", set_server_on_loop, &call);
}

static void
set_health_on_loop(void *data)
{
    struct field_call *call = data;
    struct tablet *tablet = call->tablet;
    struct tablet_snapshot before, after;
    fill_snapshot(tablet, &before);
    tablet->is_healthy = call->flag;
    tablet->is_disk_stalled = call->is_disk_stalled;
    snprintf(tablet->health_reason, sizeof(tablet->health_reason), "%s", call->text);
    fill_snapshot(tablet, &after);
    if (before.is_serving == after.is_serving)
        return;
    char text[TABLET_SENTENCE];
    tablet_remember(tablet, tablet_sentence(&after, text));
}

void
tablet_set_health(struct tablet_context *context, bool is_serving, const char *reason,
                  bool is_disk_stalled)
{
    struct field_call call = {.tablet = context->tablet,
                              .flag = is_serving,
                              .text = reason,
                              .is_disk_stalled = is_disk_stalled};
    loop_call(context->loop, "tablet_set_health", set_health_on_loop, &call);
}

struct lag_call {
    struct tablet *tablet;
    int64_t data_as_of_ms;
};

static void
set_lag_on_loop(void *data)
{
    struct lag_call *call = data;
    call->tablet->data_as_of_ms = call->data_as_of_ms;
}

void
tablet_set_lag(struct tablet_context *context, uint32_t lag_seconds)
{
    int64_t as_of_ms = clock_monotonic_ms() - (int64_t)lag_seconds * 1000;
    struct lag_call call = {context->tablet, as_of_ms > 0 ? as_of_ms : 1};
    loop_call(context->loop, "tablet_set_lag", set_lag_on_loop, &call);
}

void
tablet_poke_health(struct tablet_context *context)
{
    const struct tablet_options *options = &context->tablet->options;
    if (options->on_health_wanted != NULL)
        options->on_health_wanted(options->on_health_wanted_data);
}

void
tablet_request_heartbeats(struct tablet_context *context)
{
    const struct tablet_options *options = &context->tablet->options;
    if (options->on_heartbeats_wanted != NULL)
        options->on_heartbeats_wanted(options->on_heartbeats_wanted_data);
}
