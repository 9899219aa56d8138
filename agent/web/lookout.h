/* Looks at the shard in the topology, for the status page: every tablet's record and the health
 * document that its agent keeps there. On a worker, seldom, and often while somebody looks at the
 * page: a topology that hangs makes the picture old, nothing else. */
#ifndef VTAGENT_WEB_LOOKOUT_H
#define VTAGENT_WEB_LOOKOUT_H

#include "agent/tablet/tablet.h"

struct shard_look_row {
    char alias[TABLET_ALIAS_TEXT_MAX];
    char type[24];
    char address[300]; /* "host:port" of its HTTP; "": it has none */
    char state[320];   /* the sentence of its document; why there is none */
    char job[128], version[64];
    bool has_document, is_serving;
    int64_t lag_ms;  /* -1: not known */
    int64_t time_ns; /* when it said so, by its clock */
};
#define SHARD_LOOK_MOST 64
struct shard_look {
    int64_t looked_ms;                           /* monotonic, when the rows were read; 0: never */
    char error[256];                             /* what cannot be read now; "" */
    struct shard_look_row rows[SHARD_LOOK_MOST]; /* the primary first, then by alias */
    size_t count, left_out;
};

struct lookout;
/* All on the loop's thread, but for the last. */
struct lookout *lookout_new(struct tablet_context *context);
void lookout_start(struct lookout *lookout);
/* Somebody looks: for a while the picture is kept fresh. */
void lookout_want(struct lookout *lookout);
const struct shard_look *lookout_get(const struct lookout *lookout); /* until the loop goes on */
void lookout_end(struct lookout *lookout);                           /* no more looks */
void lookout_free(struct lookout *lookout); /* after the workers and the loop ended */

#endif
