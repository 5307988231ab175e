// Package websource opens https sources that an HTTP request names. Whoever may
// call the function may choose the URL, so this package trusts nothing about it:
// a host name is resolved once for each connection and that very address is
// dialed, if it is one of the public Internet; redirects are followed within the
// allow-list only; and no proxy is used, for it would resolve the name again.
package websource
