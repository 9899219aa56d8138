/* One access token for all requests of a storage, renewed before it ends. Any thread. */
#ifndef VTAGENT_BACKUP_GCS_TOKEN_H
#define VTAGENT_BACKUP_GCS_TOKEN_H

#include "backup/gcs/gcs_credentials.h"
#include "backup/gcs/gcs_retry.h"

struct gcs_token;
/* NULL credentials: anonymous, no token at all. */
struct gcs_token *gcs_token_new(struct gcs_credentials *take_credentials);
void gcs_token_free(struct gcs_token *token);
/* "Authorization: Bearer …", NULL when anonymous; caller frees. Fetches a token when there is none,
 * or when less than some minutes of it are left, on this thread's `http`; a token that is still
 * good is used while somebody fetches the next. */
struct error *gcs_token_header(struct gcs_token *token, struct gcs_http *http,
                               struct gcs_budget *budget, struct cancel *cancel,
                               char **ret_header) ERROR_MUST_CHECK;
/* The service refused this header: it is not used again. False: anonymous, there is no other. */
bool gcs_token_reject(struct gcs_token *token, const char *header);

#endif
