package lambdahost

import (
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// withoutBase takes off a path what the front has put before the path of its API:
// the name of a stage, or the base path by which a custom domain maps to the API.
// An API Gateway leaves the base path in the event's path, while the route that it
// found, and what stands for the route's parameters, are without it. decoded is the
// path percent-decoded. What is taken off never holds an escape, because a base path
// cannot.
func (p *httpPayload) withoutBase(path, decoded string) string {
	route := p.Resource
	if p.v2() {
		_, route, _ = strings.Cut(p.RouteKey, " ")
	}
	if resolved, ok := p.resolve(route); ok {
		trimmed := strings.TrimRight(decoded, "/") // which a greedy parameter leaves out
		unescaped, err := url.PathUnescape(resolved)
		for _, end := range []string{resolved, unescaped} {
			base, found := strings.CutSuffix(trimmed, end)
			if rest, literal := strings.CutPrefix(path, base); err == nil && found && literal && strings.HasPrefix(rest, "/") {
				return rest
			}
		}
	}
	if !p.httpAPI() {
		return path
	}
	if stage := p.Context.Stage; stage != "$default" {
		if rest, ok := strings.CutPrefix(path, "/"+stage+"/"); ok {
			path = "/" + rest
		}
	}
	return p.cutMapping(path)
}

var parameter = regexp.MustCompile(`\{[^{}]*\}`)

// resolve puts the path parameters into a route's template.
func (p *httpPayload) resolve(route string) (path string, ok bool) {
	ok = strings.HasPrefix(route, "/")
	return parameter.ReplaceAllStringFunc(route, func(name string) string {
		value, known := p.Parameters[strings.TrimSuffix(name[1:len(name)-1], "+")]
		ok = ok && known
		return value
	}), ok
}

// roots are what a path of package httpapi begins with; the slash ends a name.
var roots = []string{"/files/", "/tickets/", "/healthz/"}

// cutMapping takes off the mapping key of a custom domain where the route is
// $default, which tells nothing. There the key ends where one of the endpoints
// begins, so a mapping key must not itself begin with the name of one.
func (p *httpPayload) cutMapping(path string) string {
	domain := p.Context.DomainName
	if domain == "" || strings.HasSuffix(domain, ".amazonaws.com") || strings.HasSuffix(domain, ".amazonaws.com.cn") {
		return path
	}
	at := func(i int) bool {
		return slices.ContainsFunc(roots, func(root string) bool { return strings.HasPrefix(path[i:]+"/", root) })
	}
	for i := range len(path) {
		if path[i] == '/' && at(i) {
			return path[i:]
		}
	}
	return path
}
