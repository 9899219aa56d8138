/* The files page.css and page.js of this folder, as texts in the program. */
#ifndef VTAGENT_WEB_ASSETS_H
#define VTAGENT_WEB_ASSETS_H

extern const char asset_page_css[], asset_page_js[];

#endif
