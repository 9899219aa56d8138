/* Between the two halves of the gzip codec. */
#ifndef VTAGENT_BACKUP_CODEC_GZIP_H
#define VTAGENT_BACKUP_CODEC_GZIP_H

#include "backup/codec.h"

#define GZIP_OUTPUT_BYTES (256u * 1024)
#define GZIP_PIECE_BYTES (1u << 30) /* both libraries count in 32 bits */

struct codec_stream *gzip_decoder_new(void);
struct codec_stream *gzip_piece_decoder_new(void);

#endif
