// Package route is stage 2: it says where a file goes. A Table turns an item into
// a plan (app, CloudBase environment and cloud path), a reason to skip it, or a
// refusal. It does no I/O.
package route

import (
	"strconv"
	"strings"

	"github.com/tcbferry/tcbferry/internal/transfer"
)

// A Route sends the files of one place to one destination. A From without a
// bucket takes every file.
type Route struct {
	From transfer.Ref // bucket equal, Key a prefix of the key
	App  string
	Env  string
	Path Template
}

// A Table is the routes in order, first match wins, behind the filters.
type Table struct {
	Include, Exclude Globs // an empty Include takes all; Exclude wins
	Routes           []Route
}

// Plan routes one item. A non-empty reason means that it is to be skipped; an
// error that the cloud path it would get is refused.
func (t *Table) Plan(item transfer.Item) (transfer.Plan, transfer.Reason, *transfer.Error) {
	p, reason, err := t.plan(item)
	if item.AltKey == "" {
		return p, reason, err
	}
	alt := item
	alt.Ref.Key, alt.AltKey = item.AltKey, ""
	if ap, areason, aerr := t.plan(alt); areason == "" && aerr == nil {
		if reason != "" || err != nil { // the first spelling has no plan of its own
			return ap, "", nil
		}
		p.Alt = &ap
	}
	return p, reason, err
}

func (t *Table) plan(item transfer.Item) (transfer.Plan, transfer.Reason, *transfer.Error) {
	p := transfer.Plan{Item: item}
	r, reason, _ := t.find(item.Ref)
	if r == nil {
		return p, reason, nil
	}
	p.Dest = transfer.Dest{App: r.App, Env: r.Env, Path: r.Path.Expand(item.Ref, item.Time)}
	return p, "", CheckPath(p.Dest.Path)
}

// Why says why a file is routed or skipped as it is, for a line of the log.
func (t *Table) Why(ref transfer.Ref) string {
	_, _, why := t.find(ref)
	return why
}

// find returns the route of a file, or the reason why it has none.
func (t *Table) find(ref transfer.Ref) (r *Route, reason transfer.Reason, why string) {
	switch {
	case strings.HasSuffix(ref.Key, "/"):
		return nil, transfer.ReasonFolder, "its key ends in /"
	case t.Exclude.Match(ref.Key):
		return nil, transfer.ReasonExcluded, "EXCLUDE names it"
	case len(t.Include) > 0 && !t.Include.Match(ref.Key):
		return nil, transfer.ReasonExcluded, "INCLUDE does not name it"
	}
	for i := range t.Routes {
		if r = &t.Routes[i]; r.takes(ref) {
			return r, "", "route " + strconv.Itoa(i+1) + " takes it"
		}
	}
	return nil, transfer.ReasonNoRoute, "no route takes its bucket and key"
}

func (r *Route) takes(ref transfer.Ref) bool {
	f := r.From
	return f.Bucket == "" || f.Scheme == ref.Scheme && f.Bucket == ref.Bucket &&
		(f.Region == "" || ref.Region == "" || f.Region == ref.Region) &&
		strings.HasPrefix(ref.Key, f.Key)
}
