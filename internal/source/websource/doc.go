// Package websource opens https sources that an HTTP request names. The caller of the
// function chooses the URL, so this package trusts nothing about it:
//
//   - A URL and each redirect must be on the allow-list.
//   - A host name is resolved once for each connection. All its addresses must be of the
//     public Internet, and the very address that was checked is dialed. A second look-up
//     could give another answer (DNS rebinding).
//   - No proxy is used, because it would resolve the name again.
//
// Where a list names an address in place of a host, that address may be private.
package websource
