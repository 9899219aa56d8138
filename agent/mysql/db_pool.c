#include <pthread.h>
#include <stdlib.h>

#include "agent/base/memory.h"
#include "agent/mysql/db_private.h"

struct db_pool {
    struct db_params params;
    pthread_mutex_t mutex;
    struct db **idle; /* a stack: the connection used last is the first to be taken */
    size_t idle_count, most_idle;
};

struct db_pool *
db_pool_new(const struct db_params *params, size_t most_idle)
{
    struct db_pool *pool = xcalloc(1, sizeof(*pool));
    db_params_copy(&pool->params, params);
    pthread_mutex_init(&pool->mutex, NULL);
    pool->idle = xcalloc(most_idle + 1, sizeof(struct db *));
    pool->most_idle = most_idle;
    return pool;
}

static struct db *
pop_idle(struct db_pool *pool)
{
    pthread_mutex_lock(&pool->mutex);
    struct db *db = pool->idle_count > 0 ? pool->idle[--pool->idle_count] : NULL;
    pthread_mutex_unlock(&pool->mutex);
    return db;
}

struct error *
db_pool_take(struct db_pool *pool, struct cancel *cancel, struct db **ret_db)
{
    for (struct db *db; (db = pop_idle(pool)) != NULL; db_close(db)) {
        struct error *error = db_ping(db, cancel);
        if (error == NULL) {
            *ret_db = db;
            return NULL;
        }
        error_free(error);
    }
    return db_open(&pool->params, cancel, ret_db);
}

void
db_pool_give(struct db_pool *pool, struct db *take_db)
{
    if (take_db == NULL)
        return;
    if (db_is_reusable(take_db)) {
        pthread_mutex_lock(&pool->mutex);
        if (pool->idle_count < pool->most_idle) {
            pool->idle[pool->idle_count++] = take_db;
            take_db = NULL;
        }
        pthread_mutex_unlock(&pool->mutex);
    }
    db_close(take_db);
}

void
db_pool_close_idle(struct db_pool *pool)
{
    for (struct db *db; (db = pop_idle(pool)) != NULL;)
        db_close(db);
}

void
db_pool_free(struct db_pool *pool)
{
    if (pool == NULL)
        return;
    db_pool_close_idle(pool);
    pthread_mutex_destroy(&pool->mutex);
    db_params_done(&pool->params);
    free(pool->idle);
    free(pool);
}
