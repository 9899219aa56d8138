#include "backup/gcs/gcs_retry.h"

#include <sys/random.h>

#include "agent/base/clock.h"

#define LONGEST_PAUSE_MS 16000
#define DOWN_PATIENCE_MS 5000
#define FULL_CREDIT 200.0
#define CREDIT_OF_SUCCESS 0.5

void
gcs_budget_init(struct gcs_budget *budget, int64_t patience_ms, int64_t first_pause_ms)
{
    *budget = (struct gcs_budget){
        .credit = FULL_CREDIT,
        .patience_ms = patience_ms > 0 ? patience_ms : GCS_PATIENCE_MS,
        .first_pause_ms = first_pause_ms > 0 ? first_pause_ms : GCS_FIRST_PAUSE_MS,
    };
    pthread_mutex_init(&budget->lock, NULL);
}

void
gcs_budget_done(struct gcs_budget *budget)
{
    pthread_mutex_destroy(&budget->lock);
}

void
gcs_budget_succeeded(struct gcs_budget *budget)
{
    pthread_mutex_lock(&budget->lock);
    budget->is_down = false;
    if (budget->credit < FULL_CREDIT)
        budget->credit += CREDIT_OF_SUCCESS;
    pthread_mutex_unlock(&budget->lock);
}

struct gcs_retry
gcs_retry_begin(struct gcs_budget *budget)
{
    return (struct gcs_retry){.budget = budget, .start_ms = clock_monotonic_ms()};
}

void
gcs_retry_progress(struct gcs_retry *retry)
{
    retry->start_ms = clock_monotonic_ms();
    retry->pause_ms = 0;
    retry->failures = 0;
}

/* Half of it to all of it: those who failed together do not come back together. */
static int64_t
jittered(int64_t pause_ms)
{
    uint32_t noise = 0;
    if (getrandom(&noise, sizeof(noise), GRND_NONBLOCK) != (ssize_t)sizeof(noise))
        noise = (uint32_t)clock_monotonic_us();
    return pause_ms / 2 + (int64_t)noise % (pause_ms / 2 + 1);
}

static int64_t
next_pause(struct gcs_retry *retry, int64_t retry_after_ms)
{
    retry->pause_ms = retry->pause_ms == 0 ? retry->budget->first_pause_ms : retry->pause_ms * 2;
    if (retry->pause_ms > LONGEST_PAUSE_MS)
        retry->pause_ms = LONGEST_PAUSE_MS;
    int64_t pause = jittered(retry->pause_ms);
    return pause > retry_after_ms ? pause : retry_after_ms;
}

/* NULL: another attempt is paid for; else why there is none. */
static const char *
objection(struct gcs_retry *retry, int64_t pause_ms)
{
    struct gcs_budget *budget = retry->budget;
    const char *text = NULL;
    int64_t patience_ms = budget->patience_ms;
    pthread_mutex_lock(&budget->lock);
    if (budget->is_down && patience_ms > DOWN_PATIENCE_MS)
        patience_ms = DOWN_PATIENCE_MS;
    if (clock_monotonic_ms() + pause_ms - retry->start_ms > patience_ms)
        text = "the time for it is over";
    else if (budget->credit < 1)
        text = "too many requests fail";
    else
        budget->credit -= 1;
    if (text != NULL)
        budget->is_down = true;
    pthread_mutex_unlock(&budget->lock);
    return text;
}

struct error *
gcs_retry_pause(struct gcs_retry *retry, struct error *take_cause, int64_t retry_after_ms,
                struct cancel *cancel)
{
    if (!error_is(take_cause, ERROR_UNAVAILABLE))
        return take_cause;
    retry->failures++;
    int64_t pause_ms = next_pause(retry, retry_after_ms);
    const char *text = objection(retry, pause_ms);
    if (text != NULL)
        return error_wrap(take_cause, "given up after %d attempts in %lld s (%s)", retry->failures,
                          (long long)(clock_monotonic_ms() - retry->start_ms) / 1000, text);
    error_free(take_cause);
    return cancel_sleep_ms(cancel, pause_ms);
}
