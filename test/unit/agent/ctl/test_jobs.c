#include <criterion/criterion.h>

#include <stdlib.h>
#include <string.h>

#include "fake.h"
#include "vtagent_agent.pb-c.h"

static const struct fake_tablet shard[] = {
    {.uid = 100, .type = TOPODATA__TABLET_TYPE__PRIMARY},
    {.uid = 101, .type = TOPODATA__TABLET_TYPE__REPLICA},
};

static char *
literal(const char *text)
{
    return (char *)(uintptr_t)text;
}

static ProtobufCMessage *
copied(const ProtobufCMessage *message)
{
    size_t size = protobuf_c_message_get_packed_size(message);
    uint8_t *data = xmalloc(size + 1);
    protobuf_c_message_pack(message, data);
    ProtobufCMessage *copy = protobuf_c_message_unpack(message->descriptor, NULL, size, data);
    free(data);
    return copy;
}

static Vtagent__Job
sample(void)
{
    Vtagent__Job job = VTAGENT__JOB__INIT;
    job.id = literal("backup-3");
    job.kind = literal("backup");
    job.state = literal("running");
    job.phase = literal("copy");
    job.parameters = literal("concurrency 4");
    job.backup_name = literal("2026-11-28.120000.zone1-0000000101");
    job.bytes_done = 256ull << 20;
    job.bytes_total = 1024ull << 20;
    job.rate_bytes_per_second = 64ull << 20;
    job.remaining_seconds = 12;
    return job;
}

/* 101 has a job, and ends it; 100 has none, or is gone. */
static bool is_primary_gone;

static struct error *
answer(struct ctl *ctl, const Topodata__Tablet *tablet, const char *method,
       const ProtobufCMessage *request, const ProtobufCMessageDescriptor *response,
       struct cancel *cancel, ProtobufCMessage **ret_response)
{
    (void)ctl, (void)response, (void)cancel;
    Vtagent__Job job = sample();
    Vtagent__Job *jobs[] = {&job};
    bool has_job = tablet->alias->uid == 101;
    if (!has_job && is_primary_gone)
        return error_new(ERROR_UNAVAILABLE, "Jobs on tablet zone1-0000000100: gone");
    if (strcmp(method, "/vtagent.Agent/Jobs") == 0) {
        Vtagent__JobsResponse out = VTAGENT__JOBS_RESPONSE__INIT;
        out.n_jobs = has_job ? 1 : 0;
        out.jobs = jobs;
        *ret_response = copied(&out.base);
        return NULL;
    }
    cr_assert_str_eq(method, "/vtagent.Agent/CancelJob");
    cr_assert_str_eq(((const Vtagent__CancelJobRequest *)request)->id, "backup-3");
    Vtagent__CancelJobResponse out = VTAGENT__CANCEL_JOB_RESPONSE__INIT;
    job.state = literal("canceled");
    out.n_jobs = 1;
    out.jobs = jobs;
    *ret_response = copied(&out.base);
    return NULL;
}

static struct error *
run(struct fake *fake, const char *verb, const char *word, const char *other)
{
    fake->ctl.call = answer;
    strv_add(&fake->ctl.words, word);
    if (other != NULL)
        strv_add(&fake->ctl.words, other);
    return ctl_run_verb(&fake->ctl, ctl_find_verb(verb));
}

Test(jobs, a_shards_jobs_are_a_table)
{
    struct fake *fake = fake_new("none", 100, shard, ARRAY_LENGTH(shard));
    is_primary_gone = false;
    must(run(fake, "Jobs", "commerce/0", NULL));
    const char *row = strstr(fake_out(fake), "zone1-0000000101  backup-3  running  copy   25.0% of "
                                             "1024 MB  64.0 MB/s  12s ");
    cr_assert_not_null(row);
    cr_assert_not_null(strstr(row, "2026-11-28.120000.zone1-0000000101  concurrency 4"));
    fake_free(fake);
}

Test(jobs, a_tablet_that_is_gone_fails_the_list_after_the_others_are_shown)
{
    struct fake *fake = fake_new("none", 100, shard, ARRAY_LENGTH(shard));
    is_primary_gone = true;
    must_be(run(fake, "Jobs", "commerce/0", NULL), ERROR_UNAVAILABLE, "zone1-0000000100");
    cr_assert_not_null(strstr(fake_out(fake), "backup-3"));
    fake_free(fake);
}

Test(jobs, for_machines_there_is_an_object_by_tablet)
{
    struct fake *fake = fake_new("none", 100, shard, ARRAY_LENGTH(shard));
    is_primary_gone = true;
    fake->ctl.options.wants_json = true;
    must_be(run(fake, "Jobs", "commerce/0", NULL), ERROR_UNAVAILABLE, NULL);
    cr_assert_not_null(strstr(fake_out(fake), "\"zone1-0000000100\": null"));
    cr_assert_not_null(strstr(fake_out(fake), "\"bytes_done\": \"268435456\""));
    fake_free(fake);
}

Test(jobs, canceling_tells_how_the_job_ended)
{
    struct fake *fake = fake_new("none", 100, shard, ARRAY_LENGTH(shard));
    is_primary_gone = false;
    must(run(fake, "CancelJob", "zone1-101", "backup-3"));
    cr_assert_str_eq(fake_out(fake), "backup-3: canceled\n");
    fake_free(fake);
}
