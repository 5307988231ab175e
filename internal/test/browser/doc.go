// Package browser drives pages in a headless Chromium: the page of docs/ticket-uploads.md
// uploads a file by a ticket of scf-http, and the page of functions/local is used as a
// person would use it. It needs node, Chromium and the npm package playwright-core; without
// them its tests are skipped, unless BROWSERTEST_INSTALL=1 lets it install what is missing.
package browser
