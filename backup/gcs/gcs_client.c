#include "backup/gcs/gcs_client.h"

#include <stdlib.h>
#include <string.h>

#define REQUEST_TIMEOUT_MS 600000
#define STALL_MS 45000
/* Of silence: as much as was usual lately, so many times; at least this share of all patience. */
#define USUAL_TIMES 5
#define LEAST_SHARE 150
#define LEAST_MS 100
#define FIRST_SHARE 16 /* when nothing is known yet */
#define USUAL_FADES 32
#define WORK_BYTES_PER_MS (64u << 10)

struct gcs_client *
gcs_client_new(const struct gcs_client_options *options)
{
    struct gcs_client *client = xcalloc(1, sizeof(*client));
    client->bucket = xstrdup(options->bucket);
    client->endpoint = xstrdup(options->endpoint);
    client->token = gcs_token_new(options->take_credentials);
    client->stall_ms = options->stall_ms > 0 ? options->stall_ms : STALL_MS;
    client->part_bytes = options->part_bytes > 0 ? options->part_bytes : GCS_PART_BYTES;
    gcs_budget_init(&client->budget, options->patience_ms, options->first_pause_ms);
    pthread_mutex_init(&client->lock, NULL);
    return client;
}

void
gcs_client_free(struct gcs_client *client)
{
    if (client == NULL)
        return;
    for (size_t i = 0; i < client->idle_count; i++)
        gcs_http_free(client->idle[i]);
    free(client->idle);
    gcs_token_free(client->token);
    gcs_budget_done(&client->budget);
    pthread_mutex_destroy(&client->lock);
    free(client->bucket);
    free(client->endpoint);
    free(client);
}

static struct gcs_http *
take_connection(struct gcs_client *client)
{
    pthread_mutex_lock(&client->lock);
    struct gcs_http *http = client->idle_count > 0 ? client->idle[--client->idle_count] : NULL;
    pthread_mutex_unlock(&client->lock);
    return http == NULL ? gcs_http_new() : http;
}

static void
give_back(struct gcs_client *client, struct gcs_http *http)
{
    pthread_mutex_lock(&client->lock);
    client->idle = xreallocarray(client->idle, client->idle_count + 1, sizeof(struct gcs_http *));
    client->idle[client->idle_count++] = http;
    pthread_mutex_unlock(&client->lock);
}

int64_t
gcs_client_stall_ms(struct gcs_client *client, int failures, uint64_t work_bytes)
{
    pthread_mutex_lock(&client->lock);
    int64_t usual_ms = client->usual_ms;
    pthread_mutex_unlock(&client->lock);
    int64_t least_ms = client->stall_ms / (usual_ms == 0 ? FIRST_SHARE : LEAST_SHARE) + 1;
    if (least_ms < LEAST_MS)
        least_ms = LEAST_MS;
    int64_t stall_ms = usual_ms * USUAL_TIMES > least_ms ? usual_ms * USUAL_TIMES : least_ms;
    stall_ms += (int64_t)(work_bytes / WORK_BYTES_PER_MS);
    for (int i = 0; i < failures && stall_ms < client->stall_ms; i++)
        stall_ms *= 2;
    return stall_ms < client->stall_ms ? stall_ms : client->stall_ms;
}

/* The longest counts at once, and fades. */
static void
learn(struct gcs_client *client, int64_t silence_ms)
{
    pthread_mutex_lock(&client->lock);
    int64_t faded_ms = client->usual_ms - (client->usual_ms + USUAL_FADES - 1) / USUAL_FADES;
    client->usual_ms = silence_ms > faded_ms ? silence_ms : faded_ms;
    if (client->usual_ms == 0)
        client->usual_ms = 1;
    pthread_mutex_unlock(&client->lock);
}

static struct error *
run(struct gcs_client *client, struct gcs_http *http, const struct gcs_request *request,
    const char *header, struct cancel *cancel, struct gcs_answer *answer)
{
    CLEANUP(gcs_request_done) struct gcs_request own = *request;
    own.headers = (struct strv){.items = NULL};
    for (size_t i = 0; i < request->headers.count; i++)
        strv_add(&own.headers, request->headers.items[i]);
    if (header != NULL)
        strv_add(&own.headers, header);
    own.timeout_ms = REQUEST_TIMEOUT_MS;
    own.stall_ms = request->stall_ms > 0 ? request->stall_ms : client->stall_ms;
    return gcs_http_run(http, &own, cancel, answer);
}

static struct error *
run_with_token(struct gcs_client *client, struct gcs_http *http, const struct gcs_request *request,
               struct cancel *cancel, struct gcs_answer *answer)
{
    for (int attempt = 0;; attempt++) {
        CLEANUP(freep) char *header = NULL;
        TRY(gcs_token_header(client->token, http, &client->budget, cancel, &header));
        TRY(run(client, http, request, header, cancel, answer));
        if (answer->status != 401 || attempt > 0 || !gcs_token_reject(client->token, header))
            return NULL;
        gcs_answer_done(answer);
    }
}

struct error *
gcs_client_attempt(struct gcs_client *client, const struct gcs_request *request, const char *object,
                   bool is_anonymous, struct cancel *cancel, struct gcs_answer *ret_answer)
{
    *ret_answer = (struct gcs_answer){.status = 0};
    struct gcs_http *http = take_connection(client);
    struct error *error = is_anonymous ? run(client, http, request, NULL, cancel, ret_answer)
                                       : run_with_token(client, http, request, cancel, ret_answer);
    give_back(client, http);
    TRY(error);
    if (ret_answer->status / 100 != 2 && ret_answer->status != 308)
        return gcs_answer_error(ret_answer, client->bucket, object);
    gcs_budget_succeeded(&client->budget);
    learn(client, ret_answer->silence_ms);
    return NULL;
}

struct error *
gcs_client_call(struct gcs_client *client, const struct gcs_request *request, const char *object,
                struct cancel *cancel, gcs_client_read read, void *data)
{
    struct gcs_retry retry = gcs_retry_begin(&client->budget);
    for (;;) {
        CLEANUP(gcs_answer_done) struct gcs_answer answer = {.status = 0};
        struct gcs_request own = *request;
        own.stall_ms = gcs_client_stall_ms(client, retry.failures, request->work_bytes);
        struct error *error = gcs_client_attempt(client, &own, object, false, cancel, &answer);
        if (error == NULL && answer.status == 308)
            error = gcs_answer_error(&answer, client->bucket, object);
        if (error == NULL)
            error = read(&answer, data);
        if (error == NULL)
            return NULL;
        TRY(gcs_retry_pause(&retry, error, answer.retry_after_ms, cancel));
    }
}

char *
gcs_client_url(const struct gcs_client *client, const char *object)
{
    CLEANUP(freep) char *bucket = gcs_escape(client->bucket);
    CLEANUP(freep) char *name = gcs_escape(object);
    return xasprintf("%s/storage/v1/b/%s/o%s%s", client->endpoint, bucket,
                     name[0] == '\0' ? "" : "/", name);
}
