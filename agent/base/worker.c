#include "agent/base/worker.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>

#include "agent/base/memory.h"

struct worker_job {
    worker_function function;
    void *data;
    struct worker_job *next;
};

struct worker {
    char name[16];
    pthread_mutex_t lock;
    pthread_cond_t wake;
    struct worker_job *first, **last;
    size_t pending;
    bool is_ending;
    size_t thread_count;
    pthread_t threads[];
};

static struct worker_job *
take_job(struct worker *worker)
{
    while (worker->first == NULL && !worker->is_ending)
        pthread_cond_wait(&worker->wake, &worker->lock);
    struct worker_job *job = worker->first;
    if (job != NULL) {
        worker->first = job->next;
        if (worker->first == NULL)
            worker->last = &worker->first;
    }
    return job;
}

static void *
run_jobs(void *data)
{
    struct worker *worker = data;
    pthread_setname_np(pthread_self(), worker->name);
    pthread_mutex_lock(&worker->lock);
    struct worker_job *job;
    while ((job = take_job(worker)) != NULL) {
        pthread_mutex_unlock(&worker->lock);
        job->function(job->data);
        free(job);
        pthread_mutex_lock(&worker->lock);
        worker->pending--;
    }
    pthread_mutex_unlock(&worker->lock);
    return NULL;
}

static int
start_threads(struct worker *worker, size_t thread_count)
{
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, 1024 * 1024);
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int result = 0;
    for (size_t i = 0; i < thread_count && result == 0; i++) {
        result = pthread_create(&worker->threads[i], &attributes, run_jobs, worker);
        if (result == 0)
            worker->thread_count++;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    return result;
}

struct error *
worker_new(const char *name, size_t thread_count, struct worker **ret_worker)
{
    struct worker *worker = xcalloc(1, sizeof(*worker) + thread_count * sizeof(pthread_t));
    for (size_t i = 0; i + 1 < sizeof(worker->name) && name[i] != '\0'; i++)
        worker->name[i] = name[i];
    worker->last = &worker->first;
    pthread_mutex_init(&worker->lock, NULL);
    pthread_cond_init(&worker->wake, NULL);
    int result = start_threads(worker, thread_count);
    if (result != 0) {
        worker_free(worker);
        return error_from_errno(result, "start a thread of '%s'", name);
    }
    *ret_worker = worker;
    return NULL;
}

void
worker_submit(struct worker *worker, worker_function function, void *data)
{
    struct worker_job *job = xcalloc(1, sizeof(*job));
    *job = (struct worker_job){.function = function, .data = data};
    pthread_mutex_lock(&worker->lock);
    *worker->last = job;
    worker->last = &job->next;
    worker->pending++;
    pthread_cond_signal(&worker->wake);
    pthread_mutex_unlock(&worker->lock);
}

size_t
worker_pending(const struct worker *worker)
{
    struct worker *mutable_worker = (struct worker *)worker;
    pthread_mutex_lock(&mutable_worker->lock);
    size_t pending = worker->pending;
    pthread_mutex_unlock(&mutable_worker->lock);
    return pending;
}

void
worker_free(struct worker *worker)
{
    if (worker == NULL)
        return;
    pthread_mutex_lock(&worker->lock);
    worker->is_ending = true;
    pthread_cond_broadcast(&worker->wake);
    pthread_mutex_unlock(&worker->lock);
    for (size_t i = 0; i < worker->thread_count; i++)
        pthread_join(worker->threads[i], NULL);
    pthread_cond_destroy(&worker->wake);
    pthread_mutex_destroy(&worker->lock);
    free(worker);
}
