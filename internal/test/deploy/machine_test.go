package deploy

import (
	"encoding/json"
	"fmt"
	"strings"
)

// A machine runs a state machine of Step Functions, as far as the stacks use the Amazon
// States Language (https://states-language.net): tasks that invoke a function, choices,
// distributed maps. Anything else is an error.
type machine struct {
	// invoke runs a function with a payload and returns its answer.
	invoke func(function string, payload []byte) ([]byte, error)
	// read returns the items of a distributed map, given its ItemReader resolved.
	read func(resource string, config, parameters map[string]any) ([]any, error)

	context map[string]any // $$
	entered []string       // the states in order
}

// run runs a definition with an input, and returns its output.
func (m *machine) run(definition map[string]any, input any) (any, error) {
	states, _ := definition["States"].(map[string]any)
	name, _ := definition["StartAt"].(string)
	for range 1000 {
		state, ok := states[name].(map[string]any)
		if !ok {
			return nil, fmt.Errorf("there is no state %q", name)
		}
		m.entered = append(m.entered, name)
		var err error
		next := ""
		switch kind := state["Type"]; kind {
		case "Task":
			input, err = m.task(state, input)
			next, _ = state["Next"].(string)
		case "Map":
			input, err = m.each(state, input)
			next, _ = state["Next"].(string)
		case "Choice":
			next, err = m.choose(state, input)
		case "Succeed":
			return input, nil
		default:
			err = fmt.Errorf("the type %v is not known here", kind)
		}
		if err != nil {
			return nil, fmt.Errorf("state %s: %w", name, err)
		}
		if state["End"] == true {
			return input, nil
		}
		name = next
	}
	return nil, fmt.Errorf("the machine does not end")
}

func (m *machine) task(state map[string]any, input any) (any, error) {
	if !strings.HasSuffix(fmt.Sprint(state["Resource"]), ":states:::lambda:invoke") {
		return nil, fmt.Errorf("the resource %v is not known here", state["Resource"])
	}
	parameters, err := m.fill(state["Parameters"], input)
	if err != nil {
		return nil, err
	}
	payload, err := json.Marshal(at(parameters, "Payload"))
	if err != nil {
		return nil, err
	}
	answer, err := m.invoke(fmt.Sprint(at(parameters, "FunctionName")), payload)
	if err != nil {
		return nil, err
	}
	var result any
	if err := json.Unmarshal(answer, &result); err != nil {
		return nil, err
	}
	return m.path(fmt.Sprint(state["OutputPath"]), map[string]any{"Payload": result, "StatusCode": 200})
}

func (m *machine) choose(state map[string]any, input any) (string, error) {
	for _, c := range state["Choices"].([]any) {
		v, err := m.path(fmt.Sprint(at(c, "Variable")), input)
		want, boolean := at(c, "BooleanEquals").(bool)
		present, asked := at(c, "IsPresent").(bool)
		switch {
		case asked && present == (err == nil), boolean && err == nil && v == want:
			return at(c, "Next").(string), nil
		case !asked && !boolean:
			return "", fmt.Errorf("the choice %v is not known here", c)
		case boolean && err != nil:
			return "", err
		}
	}
	return fmt.Sprint(state["Default"]), nil
}

// each runs a distributed map, one batch after another.
func (m *machine) each(state map[string]any, input any) (any, error) {
	parameters, err := m.fill(at(state, "ItemReader", "Parameters"), input)
	if err != nil {
		return nil, err
	}
	config, _ := at(state, "ItemReader", "ReaderConfig").(map[string]any)
	items, err := m.read(fmt.Sprint(at(state, "ItemReader", "Resource")), config, parameters.(map[string]any))
	if err != nil {
		return nil, err
	}
	common, err := m.fill(at(state, "ItemBatcher", "BatchInput"), input)
	if err != nil {
		return nil, err
	}
	size, _ := at(state, "ItemBatcher", "MaxItemsPerBatch").(float64)
	if size < 1 || at(state, "ItemProcessor", "ProcessorConfig", "Mode") != "DISTRIBUTED" {
		return nil, fmt.Errorf("only distributed maps with batches are known here")
	}
	processor := at(state, "ItemProcessor").(map[string]any)
	outputs := []any{}
	for len(items) > 0 {
		n := min(int(size), len(items))
		output, err := m.run(processor, map[string]any{"BatchInput": common, "Items": items[:n]})
		if err != nil {
			return nil, err
		}
		outputs, items = append(outputs, output), items[n:]
	}
	return outputs, nil
}

// fill works out a payload template: names that end in .$ have paths as values.
func (m *machine) fill(template, input any) (any, error) {
	fields, ok := template.(map[string]any)
	if !ok {
		return template, nil
	}
	filled := map[string]any{}
	for name, v := range fields {
		var err error
		if plain, isPath := strings.CutSuffix(name, ".$"); isPath {
			filled[plain], err = m.path(fmt.Sprint(v), input)
		} else {
			filled[name], err = m.fill(v, input)
		}
		if err != nil {
			return nil, err
		}
	}
	return filled, nil
}

// path reads $, $.a.b, or $$.A.B of the context.
func (m *machine) path(path string, input any) (any, error) {
	v, rest := input, strings.TrimPrefix(path, "$")
	if strings.HasPrefix(rest, "$") {
		v, rest = any(m.context), rest[1:]
	}
	for name := range strings.SplitSeq(strings.TrimPrefix(rest, "."), ".") {
		if name == "" {
			break
		}
		fields, _ := v.(map[string]any)
		next, ok := fields[name]
		if !ok {
			return nil, fmt.Errorf("there is nothing at %s", path)
		}
		v = next
	}
	return v, nil
}
