package deploy

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"regexp"
	"slices"
	"strings"

	"github.com/tcbferry/tcbferry/internal/telemetry"
	"github.com/tcbferry/tcbferry/internal/transfer"
)

// kinds are the Kinds of a failure; a source that is gone is no failure.
var kinds = []transfer.Kind{transfer.KindMalformed, transfer.KindRefused, transfer.KindDenied, transfer.KindStale,
	transfer.KindThrottled, transfer.KindUnavailable, transfer.KindCorrupt, transfer.KindOutOfTime}

// emitted returns the metrics that the functions really write, each as
// "Name Dimension Dimension".
func emitted() (map[string]bool, error) {
	var out bytes.Buffer
	j := telemetry.New(&out, slog.LevelError, "tcbferry-objects")
	ctx := telemetry.WithIDs(context.Background(), telemetry.IDs{Request: "r"})
	j.Invocation(ctx, []transfer.Outcome{{Err: &transfer.Error{Kind: transfer.KindDenied}, Untold: []string{"db:files"}, Unsettled: true}}, 0, 0)
	j.Refusal(ctx, 401)
	j.Check(ctx, 1, 1, 1)
	found := map[string]bool{}
	for line := range strings.Lines(out.String()) {
		var l struct {
			AWS struct {
				CloudWatchMetrics []struct {
					Namespace  string
					Dimensions [][]string
					Metrics    []struct{ Name string }
				}
			} `json:"_aws"`
		}
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			return nil, err
		}
		for _, m := range l.AWS.CloudWatchMetrics {
			for _, metric := range m.Metrics {
				for _, dimensions := range m.Dimensions {
					found[m.Namespace+" "+metric.Name+" "+strings.Join(dimensions, " ")] = true
				}
			}
		}
	}
	return found, nil
}

// Alarms and dashboard show metrics that there are, alarms reach a subscriber, and
// every Kind of failure has one.
func checkTelemetry(d template) (problems []string) {
	c := (*complaints)(&problems)
	metrics, err := emitted()
	if err != nil {
		return []string{err.Error()}
	}
	alarmed := map[string]bool{}
	for _, trigger := range []string{"queue", "direct"} {
		s := d.with(map[string]string{"Trigger": trigger, "Http": "keys", "Check": "daily", "AlarmEmail": "a@example.com"})
		for id, a := range s.properties("AWS::CloudWatch::Alarm") {
			watched, _ := a["Dimensions"].([]any)
			var names, values []string
			for _, w := range watched {
				names = append(names, at(w, "Name").(string))
				values = append(values, fmt.Sprint(at(w, "Value")))
			}
			if a["Namespace"] == "tcbferry" {
				name := fmt.Sprint(a["Namespace"], " ", a["MetricName"], " ", strings.Join(names, " "))
				c.want(metrics[name], "%s watches %s, which is never written", id, name)
			}
			alarmed[fmt.Sprint(a["MetricName"], " ", strings.Join(values, " "))] = true
			text, _ := a["AlarmDescription"].(string)
			c.want(len(text) > 20, "%s says nothing", id)
			c.want(fmt.Sprint(a["AlarmActions"]) == "[<AlarmTopic>]", "%s reaches no topic", id)
			c.want(a["TreatMissingData"] == "notBreaching", "%s rings when nothing happens", id)
		}
		body, _ := s.properties("AWS::CloudWatch::Dashboard")["Dashboard"]["DashboardBody"].(string)
		problems = append(problems, checkDashboard(body, metrics)...)
	}
	for _, kind := range kinds {
		c.want(alarmed["Failures <LambdaObjects> "+string(kind)], "failures of the kind %s raise no alarm", kind)
	}
	c.want(alarmed["ReceiptFailures <LambdaObjects>"] && alarmed["ReceiptFailures <LambdaHttp>"], "receivers that are not told raise no alarm")
	c.want(alarmed["SettleFailures <LambdaObjects>"], "sources that ON_DELIVERED cannot settle raise no alarm")
	for _, name := range []string{"CheckMissing", "CheckDifferent", "CheckFailed"} {
		c.want(alarmed[name+" <LambdaCheck>"], "%s raises no alarm", name)
	}
	c.want(alarmed["ExecutionsFailed <CheckDaily.Outputs.Check>"], "a check that ends early raises no alarm")
	c.want(alarmed["Refusals <LambdaHttp>"], "refused requests raise no alarm")
	for _, name := range []string{"Errors", "Throttles", "Duration"} {
		c.want(alarmed[name+" <LambdaObjects>"] && alarmed[name+" <LambdaHttp>"], "%s raise no alarm", name)
	}
	for _, name := range []string{"ApproximateNumberOfMessagesVisible <DeadLetters.QueueName>", "ApproximateAgeOfOldestMessage <Queue.QueueName>"} {
		c.want(alarmed[name], "no alarm on %s", name)
	}
	slices.Sort(problems)
	return slices.Compact(problems)
}

var searched = regexp.MustCompile(`\{(tcbferry),([A-Za-z,]+)\} MetricName="(\w+)"`)

// checkDashboard reads the widgets as CloudWatch does: "." repeats the field
// above, "..." all of them.
func checkDashboard(body string, metrics map[string]bool) (problems []string) {
	var dashboard struct {
		Widgets []struct {
			Properties struct {
				Title   string
				Metrics [][]any
			}
		}
	}
	if err := json.Unmarshal([]byte(body), &dashboard); err != nil {
		return []string{"dashboard: " + err.Error()}
	}
	for _, w := range dashboard.Widgets {
		var above []string
		for _, m := range w.Properties.Metrics {
			if expression, ok := at(m, "expression").(string); ok {
				for _, s := range searched.FindAllStringSubmatch(expression, -1) {
					if name := s[1] + " " + s[3] + " " + strings.ReplaceAll(s[2], ",", " "); !metrics[name] {
						problems = append(problems, fmt.Sprintf("dashboard %q searches %s, which is never written", w.Properties.Title, name))
					}
				}
				continue
			}
			above = fields(m, above)
			if len(above) == 4 && above[0] == "tcbferry" && !metrics[strings.Join(above[:3], " ")] {
				problems = append(problems, fmt.Sprintf("dashboard %q shows %s, which is never written", w.Properties.Title, strings.Join(above, " ")))
			}
		}
	}
	return problems
}

func fields(metric []any, above []string) []string {
	var got []string
	for i, f := range metric {
		switch f, ok := f.(string); {
		case !ok:
		case f == "...":
			got = slices.Clone(above[:len(above)-countText(metric[i+1:])])
		case f == ".":
			got = append(got, above[len(got)])
		default:
			got = append(got, f)
		}
	}
	return got
}

func countText(list []any) (n int) {
	for _, v := range list {
		if _, ok := v.(string); ok {
			n++
		}
	}
	return n
}
