// Package browser holds one test: a page in a headless Chromium uploads a file
// by a ticket of scf-http, and the emulated storage shows that it arrived. It needs
// node, Chromium and the npm package playwright-core; without them it is skipped,
// unless BROWSERTEST_INSTALL=1 lets it install what is missing.
package browser
