#include "picture.h"

#include <stdio.h>

#include "agent/web/status.h"

static struct tablet_identity identity;
static struct pages_picture picture;
static const struct page_row status_row_of_page = {"/debug/status", page_status, true};

struct pages_picture *
picture_of_replica(void)
{
    identity = (struct tablet_identity){.alias_text = "zone1-0000000100",
                                        .keyspace = (char *)"ks",
                                        .shard = (char *)"-80",
                                        .database = (char *)"vt_ks",
                                        .hostname = (char *)"host",
                                        .mysql_hostname = (char *)"db",
                                        .http_port = 15000,
                                        .grpc_port = 15999};
    picture = (struct pages_picture){.row = &status_row_of_page,
                                     .identity = &identity,
                                     .is_started = true,
                                     .start_step = "",
                                     .start_time_ns = 1000000000,
                                     .now_ns = 3000000000};
    picture.view.state = STATE_FOLLOWING;
    picture.view.is_published = true;
    picture.view.snapshot.type = TOPODATA__TABLET_TYPE__REPLICA;
    picture.view.snapshot.is_serving = true;
    picture.view.snapshot.mysql_port = 3306;
    snprintf(picture.view.snapshot.reason, sizeof(picture.view.snapshot.reason), "replicating");
    picture.health.facts.server.answers = true;
    return &picture;
}

struct job_view
picture_running_job(void)
{
    return (struct job_view){
        .id = "backup-3",
        .kind = JOB_BACKUP,
        .state = JOB_RUNNING,
        .parameters = "concurrency 4",
        .phase = "copy",
        .done_bytes = 5 << 20,
        .total_bytes = 10 << 20,
        .rate_bytes_per_second = 1 << 20,
        .remaining_seconds = 5,
        .start_time_ns = 1000000000,
    };
}

char *
picture_html(const struct pages_picture *of)
{
    struct buffer body = BUFFER_INIT;
    page_status_html(of, &body);
    return buffer_take(&body);
}
