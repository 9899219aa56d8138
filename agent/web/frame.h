/* What is around every HTML page: head, style, drawings, script, and the policy that lets the
 * browser run and draw exactly these. */
#ifndef VTAGENT_WEB_FRAME_H
#define VTAGENT_WEB_FRAME_H

#include "agent/base/buffer.h"

/* How things are, as a colour and a drawing that are never the only sign of it. */
enum tone { TONE_OK, TONE_WARN, TONE_BAD, TONE_BUSY, TONE_IDLE };
const char *tone_name(enum tone tone); /* "ok": also the icon's and the class's name */

/* Up to where <main> begins; the title is escaped. */
void frame_begin(struct buffer *html, const char *title, enum tone tone);
void frame_end(struct buffer *html);
/* The Content-Security-Policy header: by the hashes of style and script. Static text; loop thread.
 */
const char *frame_policy(void);

#endif
