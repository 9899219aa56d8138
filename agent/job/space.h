/* Room that must stay free beside an image: its blocks are shared only until the server writes. */
#ifndef VTAGENT_JOB_SPACE_H
#define VTAGENT_JOB_SPACE_H

#include <stdbool.h>
#include <stdint.h>

/* Less than 5 % or than 1 GiB. Pure. */
bool space_is_low(uint64_t free_bytes, uint64_t total_bytes);
/* "the file system of '…' runs full: 812 MB are free", NULL while there is room or it cannot be
 * told. Caller frees. */
char *space_problem(const char *path);

#endif
