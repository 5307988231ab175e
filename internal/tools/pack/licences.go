package main

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// A module is what a binary has of others. The standard library counts as one.
type module struct {
	path, version string
	texts         map[string]string // licences and notices, by the path within the module
}

// licenceFile is what a module calls its licences and notices.
var licenceFile = regexp.MustCompile(`(?i)^(licen[cs]es?|copying|notice|patents|copyright)([.-].*)?$`)

// linked asks the go command which modules the binary has, and reads the licences of
// each: those of the module, and those of the directories that the linked packages are
// in, because some of these were copied from elsewhere.
func (p packer) linked(a artifact) ([]module, error) {
	const format = "{{if .Standard}}stdlib\t{{version}}\t{{goroot}}\t{{goroot}}{{else}}{{with .Module}}{{if not .Main}}{{.Path}}\t{{.Version}}\t{{.Dir}}\t{{$.Dir}}{{end}}{{end}}{{end}}"
	env, err := p.run(a, "env", "GOROOT", "GOVERSION")
	if err != nil {
		return nil, fmt.Errorf("go env: %w\n%s", err, env)
	}
	goroot, version, _ := strings.Cut(strings.TrimSpace(string(env)), "\n")
	out, err := p.run(a, "list", "-deps", "-tags="+a.tags, "-f", strings.NewReplacer("{{version}}", strings.TrimPrefix(version, "go"), "{{goroot}}", goroot).Replace(format), "./functions/"+a.function)
	if err != nil {
		return nil, fmt.Errorf("go list: %w\n%s", err, out)
	}
	found := map[string]module{}
	for line := range strings.Lines(string(out)) {
		f := strings.Split(strings.TrimRight(line, "\r\n"), "\t")
		if len(f) != 4 {
			continue // a package of ours
		}
		m, ok := found[f[0]]
		if !ok {
			m = module{f[0], f[1], map[string]string{}}
			found[f[0]] = m
		}
		for dir := f[3]; ; dir = filepath.Dir(dir) {
			if err := m.read(f[2], dir); err != nil {
				return nil, err
			}
			if dir == f[2] {
				break
			}
		}
	}
	var all []module
	for _, path := range slices.Sorted(maps.Keys(found)) {
		if found[path].licence() == "" {
			return nil, fmt.Errorf("the licence of %s is missing, or none that licence() knows", path)
		}
		all = append(all, found[path])
	}
	return all, nil
}

// read adds the licences and notices of one directory.
func (m module) read(root, dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if !licenceFile.MatchString(e.Name()) || e.IsDir() || strings.HasSuffix(e.Name(), ".go") {
			continue
		}
		text, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			return err
		}
		name, err := filepath.Rel(root, filepath.Join(dir, e.Name()))
		if err != nil {
			return err
		}
		m.texts[filepath.ToSlash(name)] = strings.ReplaceAll(string(text), "\r\n", "\n")
	}
	return nil
}

// licence is the SPDX expression of what the texts say, "" if it is none of these.
func (m module) licence() string {
	ids := map[string]bool{}
	for _, text := range m.texts {
		text = strings.Join(strings.Fields(text), " ")
		switch {
		case strings.Contains(text, "Apache License Version 2.0, January 2004"):
			ids["Apache-2.0"] = true
		case strings.Contains(text, "MIT No Attribution"):
			ids["MIT-0"] = true
		case strings.Contains(text, "Permission is hereby granted, free of charge"):
			ids["MIT"] = true
		case strings.Contains(text, "Redistributions in binary form") && strings.Contains(text, "Neither the name"):
			ids["BSD-3-Clause"] = true
		case strings.Contains(text, "Redistributions in binary form"):
			ids["BSD-2-Clause"] = true
		}
	}
	return strings.Join(slices.Sorted(maps.Keys(ids)), " AND ")
}

// licenceText is the text of LICENSES.txt: each text once, under the names of all
// modules that have it.
func licenceText(modules []module) []byte {
	owners := map[string][]string{}
	var order []string
	for _, m := range modules {
		for _, name := range slices.Sorted(maps.Keys(m.texts)) {
			text := strings.TrimSpace(m.texts[name])
			if owners[text] == nil {
				order = append(order, text)
			}
			owners[text] = append(owners[text], fmt.Sprintf("%s %s, %s", m.path, m.version, name))
		}
	}
	var b bytes.Buffer
	b.WriteString("This program contains the following modules. Above each licence or notice are those that it is of.\n")
	for _, text := range order {
		fmt.Fprintf(&b, "\n%s\n%s\n\n%s\n", strings.Repeat("=", 80), strings.Join(owners[text], "\n"), text)
	}
	return b.Bytes()
}
