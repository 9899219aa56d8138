#include "backup/gcs/gcs_token.h"

#include <pthread.h>
#include <stdlib.h>

#include "agent/base/clock.h"

/* Longer than a request may take; a token that lives shorter is renewed at half of its life. */
#define MARGIN_MS 360000

struct gcs_token {
    struct gcs_credentials *credentials;
    pthread_mutex_t fetching; /* taken before `lock` */
    pthread_mutex_t lock;     /* of what follows; never held while waiting */
    char *header;
    int64_t renew_ms, end_ms; /* clock_monotonic_ms() */
};

struct gcs_token *
gcs_token_new(struct gcs_credentials *take_credentials)
{
    struct gcs_token *token = xcalloc(1, sizeof(*token));
    token->credentials = take_credentials;
    pthread_mutex_init(&token->fetching, NULL);
    pthread_mutex_init(&token->lock, NULL);
    return token;
}

void
gcs_token_free(struct gcs_token *token)
{
    if (token == NULL)
        return;
    pthread_mutex_destroy(&token->fetching);
    pthread_mutex_destroy(&token->lock);
    gcs_credentials_free(token->credentials);
    free(token->header);
    free(token);
}

/* The present header, NULL when there is none that is good for now. */
static char *
present(struct gcs_token *token, bool *ret_wants_renewal)
{
    int64_t now = clock_monotonic_ms();
    pthread_mutex_lock(&token->lock);
    char *header = now < token->end_ms ? xstrdup(token->header) : NULL;
    *ret_wants_renewal = header == NULL || now >= token->renew_ms;
    pthread_mutex_unlock(&token->lock);
    return header;
}

static void
keep(struct gcs_token *token, const struct gcs_grant *grant)
{
    int64_t now = clock_monotonic_ms(), life_ms = grant->lifetime_ms;
    pthread_mutex_lock(&token->lock);
    free(token->header);
    token->header = xasprintf("Authorization: Bearer %s", grant->token);
    token->renew_ms = now + (life_ms > 2 * MARGIN_MS ? life_ms - MARGIN_MS : life_ms / 2);
    token->end_ms = now + life_ms;
    pthread_mutex_unlock(&token->lock);
}

static struct error *
fetch(struct gcs_token *token, struct gcs_http *http, struct gcs_budget *budget, bool is_urgent,
      struct cancel *cancel)
{
    struct gcs_retry retry = gcs_retry_begin(budget);
    for (;;) {
        CLEANUP(gcs_grant_done) struct gcs_grant grant = {.token = NULL};
        struct error *error = gcs_credentials_fetch(token->credentials, http, cancel, &grant);
        if (error == NULL) {
            keep(token, &grant);
            return NULL;
        }
        if (!is_urgent)
            return error;
        TRY(gcs_retry_pause(&retry, error, 0, cancel));
    }
}

struct error *
gcs_token_header(struct gcs_token *token, struct gcs_http *http, struct gcs_budget *budget,
                 struct cancel *cancel, char **ret_header)
{
    bool wants_renewal = false;
    *ret_header = NULL;
    if (token->credentials == NULL)
        return NULL;
    CLEANUP(freep) char *header = present(token, &wants_renewal);
    if (wants_renewal) {
        if (header == NULL)
            pthread_mutex_lock(&token->fetching);
        else if (pthread_mutex_trylock(&token->fetching) != 0)
            wants_renewal = false; /* somebody does it */
    }
    if (wants_renewal) {
        char *newer = present(token, &wants_renewal);
        freep(&header);
        header = newer;
        struct error *error =
            wants_renewal ? fetch(token, http, budget, header == NULL, cancel) : NULL;
        pthread_mutex_unlock(&token->fetching);
        if (error != NULL && header == NULL)
            return error;
        error_free(error); /* the present one still serves */
        freep(&header);
        header = present(token, &wants_renewal);
    }
    *ret_header = header;
    header = NULL;
    return NULL;
}

bool
gcs_token_reject(struct gcs_token *token, const char *header)
{
    pthread_mutex_lock(&token->lock);
    if (str_equal(token->header, header))
        token->end_ms = 0;
    pthread_mutex_unlock(&token->lock);
    return token->credentials != NULL;
}
