/* /debug/vars, with Vitess's names where it has one. */
#include <string.h>

#include "agent/base/memory.h"
#include "agent/web/pages.h"

#ifndef VTAGENT_BUILD_TIME
#define VTAGENT_BUILD_TIME 0
#endif
#define BUILD_NAME "vtagent"

const char *
pages_state_name(const struct pages_picture *picture)
{
    return picture->view.snapshot.is_serving ? "SERVING" : "NOT_SERVING";
}

int
pages_state_number(const struct pages_picture *picture)
{
    if (picture->view.snapshot.is_serving)
        return 2;
    return picture->health.facts.server.answers ? 1 : 0;
}

static void
add_text(struct buffer *body, const char *name, const char *value)
{
    buffer_append_json_string(body, name);
    buffer_append_text(body, ": ");
    buffer_append_json_string(body, value);
    buffer_append_text(body, ",\n");
}

static void
add_number(struct buffer *body, const char *name, double value)
{
    buffer_append_json_string(body, name);
    buffer_appendf(body, ": %.17g,\n", value);
}

struct page
page_vars(const struct pages_picture *picture, struct buffer *body)
{
    const struct tablet_identity *identity = picture->identity;
    const char *type = tablet_type_name(picture->view.snapshot.type);
    buffer_append_text(body, "{\n");
    add_text(body, "BuildHost", BUILD_NAME);
    add_text(body, "BuildUser", BUILD_NAME);
    add_number(body, "BuildTimestamp", VTAGENT_BUILD_TIME);
    add_text(body, "BuildGitRev", VTAGENT_VERSION);
    add_text(body, "BuildGitBranch", "");
    add_text(body, "Version", "vtagent " VTAGENT_VERSION);
    add_text(body, "TabletAlias", identity->alias_text);
    add_text(body, "TabletKeyspace", identity->keyspace);
    add_text(body, "TabletShard", identity->shard);
    add_text(body, "TabletType", type);
    buffer_append_text(body, "\"TabletTypeCount\": {");
    buffer_append_json_string(body, type);
    buffer_append_text(body, ": 1},\n");
    add_number(body, "TabletState", pages_state_number(picture));
    add_text(body, "TabletStateName", pages_state_name(picture));
    add_text(body, "TabletStateReason", picture->view.snapshot.reason);
    add_number(body, "PrimaryTermStartTime",
               (double)(picture->view.snapshot.term_start_ns / 1000000000));
    add_number(body, "replicationLagSec", (double)picture->health.verdict.lag_ms / 1000);
    add_number(body, "BackupIsRunning", picture->view.snapshot.is_backup_running);
    add_number(body, "ResidentBytes", (double)picture->process.resident_bytes);
    buffer_appendf(body, "\"Uptime\": %lld\n}\n",
                   (long long)(picture->now_ns - picture->start_time_ns));
    return (struct page){200, "application/json; charset=utf-8", NULL};
}
