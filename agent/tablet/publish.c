/* Keeps our Tablet record equal to our state. Source: tablet-manager rules of Vitess: the whole
 * record is written, only while it is ours (hostname and HTTP port); a record that vanished was
 * deleted by an administrator and ends the process; a failed write is tried again until a later one
 * worked. */
#include <stdio.h>

#include "agent/base/clock.h"
#include "agent/base/log.h"
#include "agent/base/memory.h"
#include "agent/tablet/tablet_private.h"

#define COMPONENT "publish"
#define DEFAULT_RETRY_MS 30000
#define TERM_REREAD_MS 100

/* ---- The record now ---- */

struct record_call {
    const struct tablet *tablet;
    Topodata__Tablet *record; /* to fill in place, or NULL: make one */
    int64_t term_start_ns;    /* != 0: as PRIMARY with this term */
    bool changes_it;
    bool is_taken_over;
    struct error *error;
};

static void
make_record_on_loop(void *data)
{
    struct record_call *call = data;
    struct tablet_facts facts = tablet_facts_now(call->tablet);
    call->error = tablet_record_new(&facts, &call->record);
}

struct error *
tablet_make_record(struct tablet *tablet, Topodata__Tablet **ret_record)
{
    struct record_call call = {.tablet = tablet};
    loop_call(tablet->options.loop, "tablet_make_record", make_record_on_loop, &call);
    TRY(call.error);
    *ret_record = call.record;
    return NULL;
}

static void
fill_record_on_loop(void *data)
{
    struct record_call *call = data;
    struct tablet_facts facts = tablet_facts_now(call->tablet);
    if (call->term_start_ns != 0) {
        facts.type = TOPODATA__TABLET_TYPE__PRIMARY;
        facts.term_start_ns = call->term_start_ns;
    }
    CLEANUP(tablet_record_freep) Topodata__Tablet *before = tablet_record_copy(call->record);
    call->error = tablet_record_fill(call->record, &facts);
    call->changes_it = before == NULL || !tablet_record_equal(before, call->record);
}

/* topo_change_tablet: the state is read inside the compare-and-swap loop, so whichever writer comes
 * last writes the newest state. */
static bool
change_record(Topodata__Tablet *record, void *data)
{
    struct record_call *call = data;
    const struct tablet_identity *identity = call->tablet->options.identity;
    call->is_taken_over = !tablet_record_is_ours(record, identity->hostname, identity->http_port);
    if (call->is_taken_over)
        return false;
    call->record = record;
    loop_call(call->tablet->options.loop, "publish", fill_record_on_loop, call);
    call->record = NULL;
    return call->error == NULL && call->changes_it;
}

static struct error *
write_record(struct tablet_context *context, struct cancel *cancel, int64_t term_start_ns,
             bool *ret_is_taken_over)
{
    struct record_call call = {.tablet = context->tablet, .term_start_ns = term_start_ns};
    struct error *error =
        topo_update_tablet(context->topo, cancel, &context->identity->alias, change_record, &call);
    error = error_first(call.error, error);
    *ret_is_taken_over = error == NULL && call.is_taken_over;
    return error;
}

/* ---- The outcome, on the loop ---- */

struct outcome_call {
    struct tablet *tablet;
    uint64_t number;
    bool is_question;
    bool is_allowed; /* answer */
    bool is_taken_over;
    const char *error_text; /* NULL: it worked */
};

static void
begin_on_loop(void *data)
{
    struct outcome_call *call = data;
    call->is_allowed = call->tablet->is_publishing;
    call->number = ++call->tablet->publish_number;
}

static void start_publish_timer(struct tablet *tablet, int64_t delay_ms);

static void
end_on_loop(void *data)
{
    struct outcome_call *call = data;
    struct tablet *tablet = call->tablet;
    if (call->is_taken_over && !tablet->was_taken_over)
        LOG_WARN(COMPONENT, "the tablet record was taken over by another process: it is left "
                            "alone until it shows our address again");
    tablet->was_taken_over = call->is_taken_over;
    if (call->number != tablet->publish_number)
        return; /* a later attempt decides */
    snprintf(tablet->publish_error, sizeof(tablet->publish_error), "%s",
             call->error_text == NULL ? "" : call->error_text);
    if (call->error_text != NULL && tablet->is_publishing)
        start_publish_timer(tablet, tablet->options.publish_retry_ms != 0
                                        ? tablet->options.publish_retry_ms
                                        : DEFAULT_RETRY_MS);
    else if (tablet->publish_timer != NULL)
        loop_timer_stop(tablet->publish_timer);
}

static void
report_deleted_record(struct tablet *tablet)
{
    const struct tablet_options *options = &tablet->options;
    if (options->on_record_deleted != NULL)
        options->on_record_deleted(options->on_record_deleted_data);
}

struct error *
tablet_publish(struct tablet_context *context, struct cancel *cancel)
{
    struct tablet *tablet = context->tablet;
    struct outcome_call call = {.tablet = tablet};
    loop_call(context->loop, "publish", begin_on_loop, &call);
    if (!call.is_allowed)
        return NULL; /* the start writes the first record, the stop the last */
    CLEANUP(cancel_unrefp)
    struct cancel *token = cancel_new_child(cancel, context->identity->remote_operation_timeout_ms);
    struct error *error = write_record(context, token, 0, &call.is_taken_over);
    if (error_is(error, ERROR_NOT_FOUND))
        report_deleted_record(tablet);
    call.error_text = error == NULL ? NULL : error->message;
    loop_call(context->loop, "publish", end_on_loop, &call);
    return error_wrap(error, "publish the tablet record");
}

/* ---- In the background ---- */

static void
background_done_on_loop(void *data)
{
    ((struct tablet *)data)->is_publish_running = false;
}

static void
publish_in_background(void *data)
{
    struct tablet *tablet = data;
    struct tablet_context *context = tablet->context;
    log_error_take(LOG_LEVEL_WARN, COMPONENT, tablet_publish(context, context->stop),
                   "tried again later");
    loop_call(context->loop, "publish", background_done_on_loop, tablet);
}

static void
on_publish_timer(void *data)
{
    struct tablet *tablet = data;
    if (tablet->is_publish_running || !tablet->is_publishing)
        return;
    tablet->is_publish_running = true;
    worker_submit(tablet->context->query_worker, publish_in_background, tablet);
}

static void
start_publish_timer(struct tablet *tablet, int64_t delay_ms)
{
    if (tablet->publish_timer == NULL)
        tablet->publish_timer =
            loop_timer_new(tablet->options.loop, "publish retry", on_publish_timer, tablet);
    loop_timer_start(tablet->publish_timer, delay_ms);
}

static void
publish_later_on_loop(void *data)
{
    struct tablet *tablet = data;
    if (tablet->is_publishing)
        start_publish_timer(tablet, 0);
}

void
tablet_publish_later(struct tablet_context *context)
{
    loop_post(context->loop, "publish later", publish_later_on_loop, context->tablet);
}

void
tablet_stop_publishing(struct tablet *tablet)
{
    tablet->is_publishing = false;
    loop_timer_free(tablet->publish_timer);
    tablet->publish_timer = NULL;
}

/* ---- Start, promotion, stop ---- */

static void
allow_publishing_on_loop(void *data)
{
    ((struct tablet *)data)->is_publishing = true;
}

struct error *
tablet_start_publishing(struct tablet_context *context, struct cancel *cancel)
{
    CLEANUP(tablet_record_freep) Topodata__Tablet *record = NULL;
    TRY(tablet_make_record(context->tablet, &record));
    TRY(error_wrap(topo_register_tablet(context->topo, cancel, record), "register the tablet"));
    loop_call(context->loop, "publish", allow_publishing_on_loop, context->tablet);
    return NULL;
}

/* Whether the record shows the term; asked until the store answers or the time is over. */
static struct error *
learn_term(struct tablet_context *context, struct cancel *cancel, int64_t term_start_ns,
           struct error *take_error)
{
    CLEANUP(error_freep) struct error *error = take_error;
    while (!cancel_is_requested(cancel)) {
        CLEANUP(tablet_record_freep) Topodata__Tablet *record = NULL;
        CLEANUP(error_freep)
        struct error *read_error =
            topo_get_tablet(context->topo, cancel, &context->identity->alias, &record, NULL);
        if (read_error == NULL && record->type == TOPODATA__TABLET_TYPE__PRIMARY &&
            tablet_time_ns(record->primary_term_start_time) == term_start_ns)
            return NULL;
        if (read_error == NULL || error_is(read_error, ERROR_NOT_FOUND))
            break; /* certain: it was not written */
        error_free(cancel_sleep_ms(cancel, TERM_REREAD_MS));
    }
    struct error *result = error_wrap(error, "write the new primary term");
    error = NULL;
    return result;
}

struct error *
tablet_publish_term(struct tablet_context *context, struct cancel *cancel, int64_t term_start_ns)
{
    bool is_taken_over = false;
    CLEANUP(cancel_unrefp)
    struct cancel *token = cancel_new_child(cancel, context->identity->remote_operation_timeout_ms);
    struct error *error = write_record(context, token, term_start_ns, &is_taken_over);
    if (is_taken_over)
        return error_new(ERROR_FAILED_PRECONDITION,
                         "the record of tablet '%s' was taken over by another process: two agents "
                         "with one alias must not run",
                         context->identity->alias_text);
    if (error == NULL)
        return NULL;
    return learn_term(context, cancel, term_start_ns, error);
}

static void
forbid_publishing_on_loop(void *data)
{
    struct tablet *tablet = data;
    tablet->is_publishing = false;
    if (tablet->publish_timer != NULL)
        loop_timer_stop(tablet->publish_timer);
}

static void
is_published_on_loop(void *data)
{
    struct outcome_call *call = data;
    call->is_allowed = call->tablet->is_publishing;
}

bool
tablet_is_published(struct tablet *tablet)
{
    struct outcome_call call = {.tablet = tablet};
    loop_call(tablet->options.loop, "tablet_is_published", is_published_on_loop, &call);
    return call.is_allowed;
}

struct error *
tablet_unpublish(struct tablet_context *context, struct cancel *cancel)
{
    if (!tablet_is_published(context->tablet))
        return NULL;
    loop_call(context->loop, "unpublish", forbid_publishing_on_loop, context->tablet);
    bool is_taken_over = false;
    return error_wrap(write_record(context, cancel, 0, &is_taken_over),
                      "take our address out of the tablet record");
}
