#include "agent/web/frame.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

#include "agent/base/memory.h"
#include "agent/web/assets.h"
#include "agent/web/html.h"

#define RELOAD_SECONDS "5" /* without JavaScript */

const char *
tone_name(enum tone tone)
{
    static const char *const names[] = {
        [TONE_OK] = "ok",     [TONE_WARN] = "warn", [TONE_BAD] = "bad",
        [TONE_BUSY] = "busy", [TONE_IDLE] = "idle",
    };
    return names[tone];
}

/* The tab's icon: a dot in the colour of the state. */
static const char *
icon_color(enum tone tone)
{
    static const char *const colors[] = {
        [TONE_OK] = "16a34a",   [TONE_WARN] = "d97706", [TONE_BAD] = "dc2626",
        [TONE_BUSY] = "2563eb", [TONE_IDLE] = "6b7280",
    };
    return colors[tone];
}

static const char drawings[] =
    "<svg class=\"drawings\" aria-hidden=\"true\"><defs>"
    "<symbol id=\"ok\" viewBox=\"0 0 16 16\"><circle cx=\"8\" cy=\"8\" r=\"7.6\"/>"
    "<path d=\"M4.4 8.4l2.5 2.5 4.8-5.4\"/></symbol>"
    "<symbol id=\"bad\" viewBox=\"0 0 16 16\"><circle cx=\"8\" cy=\"8\" r=\"7.6\"/>"
    "<path d=\"M5.2 5.2l5.6 5.6M10.8 5.2l-5.6 5.6\"/></symbol>"
    "<symbol id=\"warn\" viewBox=\"0 0 16 16\">"
    "<polygon points=\"8,1 15.6,14.8 0.4,14.8\"/><path d=\"M8 6v4M8 12.2v.3\"/></symbol>"
    "<symbol id=\"busy\" viewBox=\"0 0 16 16\"><circle cx=\"8\" cy=\"8\" r=\"7.6\"/>"
    "<path d=\"M8 4v4.4l2.8 1.8\"/></symbol>"
    "<symbol id=\"idle\" viewBox=\"0 0 16 16\"><circle cx=\"8\" cy=\"8\" r=\"7.6\"/>"
    "<path d=\"M4.8 8h6.4\"/></symbol>"
    "</defs></svg>\n";

void
frame_begin(struct buffer *html, const char *title, enum tone tone)
{
    buffer_append_text(html,
                       "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
                       "<meta name=\"viewport\" content=\"width=device-width, "
                       "initial-scale=1\">\n"
                       "<meta name=\"color-scheme\" content=\"light dark\">\n");
    html_add(html, "<title>", title, "</title>\n");
    buffer_appendf(html,
                   "<link rel=\"icon\" href=\"data:image/svg+xml,%%3Csvg "
                   "xmlns=%%22http://www.w3.org/2000/svg%%22 viewBox=%%220 0 16 16%%22%%3E"
                   "%%3Ccircle cx=%%228%%22 cy=%%228%%22 r=%%227%%22 fill=%%22%%23%s%%22/%%3E"
                   "%%3C/svg%%3E\">\n",
                   icon_color(tone));
    buffer_append_text(html, "<style>");
    buffer_append_text(html, asset_page_css);
    buffer_append_text(html,
                       "</style>\n<noscript><meta http-equiv=\"refresh\" content=\"" RELOAD_SECONDS
                       "\"></noscript>\n</head>\n<body>\n");
    buffer_append_text(html, drawings);
}

void
frame_end(struct buffer *html)
{
    buffer_append_text(html, "<script>");
    buffer_append_text(html, asset_page_js);
    buffer_append_text(html, "</script>\n</body>\n</html>\n");
}

/* "sha256-…" of a text, as the policy wants it. */
static void
append_hash(struct buffer *policy, const char *text)
{
    unsigned char digest[EVP_MAX_MD_SIZE], base64[2 * EVP_MAX_MD_SIZE];
    unsigned int size = 0;
    EVP_Digest(text, strlen(text), digest, &size, EVP_sha256(), NULL);
    EVP_EncodeBlock(base64, digest, (int)size);
    buffer_appendf(policy, "'sha256-%s'", (const char *)base64);
}

const char *
frame_policy(void)
{
    static char kept[512];
    if (kept[0] != '\0')
        return kept;
    CLEANUP(buffer_done) struct buffer policy = BUFFER_INIT;
    buffer_append_text(&policy,
                       "default-src 'none'; connect-src 'self'; img-src data:; style-src ");
    append_hash(&policy, asset_page_css);
    buffer_append_text(&policy, "; script-src ");
    append_hash(&policy, asset_page_js);
    buffer_append_text(&policy, "; base-uri 'none'; form-action 'none'; frame-ancestors 'none'");
    snprintf(kept, sizeof(kept), "%s", buffer_text(&policy));
    return kept;
}
