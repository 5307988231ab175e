package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// The parts of SPDX 2.3 (spdx.github.io/spdx-spec/v2.3) that a bill of materials needs.
type (
	document struct {
		Version       string         `json:"spdxVersion"`
		DataLicense   string         `json:"dataLicense"`
		ID            string         `json:"SPDXID"`
		Name          string         `json:"name"`
		Namespace     string         `json:"documentNamespace"`
		Creation      creation       `json:"creationInfo"`
		Packages      []spdxPackage  `json:"packages"`
		Relationships []relationship `json:"relationships"`
	}
	creation struct {
		Created  string   `json:"created"`
		Creators []string `json:"creators"`
	}
	spdxPackage struct {
		ID        string      `json:"SPDXID"`
		Name      string      `json:"name"`
		Version   string      `json:"versionInfo"`
		Location  string      `json:"downloadLocation"`
		Analyzed  bool        `json:"filesAnalyzed"`
		Concluded string      `json:"licenseConcluded"`
		Declared  string      `json:"licenseDeclared"`
		Copyright string      `json:"copyrightText"`
		Checksums []checksum  `json:"checksums,omitempty"`
		Refs      []reference `json:"externalRefs,omitempty"`
	}
	checksum struct {
		Algorithm string `json:"algorithm"`
		Value     string `json:"checksumValue"`
	}
	reference struct {
		Category string `json:"referenceCategory"`
		Type     string `json:"referenceType"`
		Locator  string `json:"referenceLocator"`
	}
	relationship struct {
		Element string `json:"spdxElementId"`
		Type    string `json:"relationshipType"`
		Related string `json:"relatedSpdxElement"`
	}
)

const releases = "https://github.com/tcbferry/tcbferry/releases/download/"

// spdx is the bill of materials: every zip with its checksum, and the modules in it. A
// module is named by its package URL, whichever proxy it came from.
func spdx(version string, created time.Time, zips []packed) ([]byte, error) {
	d := document{
		Version: "SPDX-2.3", DataLicense: "CC0-1.0", ID: "SPDXRef-DOCUMENT",
		Name: "tcbferry " + version, Namespace: releases + version + "/sbom.spdx.json",
		Creation: creation{created.Format(time.RFC3339), []string{"Tool: tcbferry-pack"}},
	}
	add := func(p spdxPackage) {
		p.Concluded, p.Copyright = "NOASSERTION", "NOASSERTION"
		d.Packages = append(d.Packages, p)
	}
	known := map[string]bool{}
	for _, z := range zips {
		id := spdxID(z.name)
		add(spdxPackage{ID: id, Name: z.name, Version: version, Location: releases + version + "/" + z.name, Declared: "Apache-2.0",
			Checksums: []checksum{{"SHA256", fmt.Sprintf("%x", z.sum)}}})
		d.Relationships = append(d.Relationships, relationship{d.ID, "DESCRIBES", id})
		for _, m := range z.modules {
			if !known[m.path] {
				known[m.path] = true
				add(spdxPackage{ID: spdxID(m.path), Name: m.path, Version: m.version, Location: "NOASSERTION", Declared: m.licence(),
					Refs: []reference{{"PACKAGE-MANAGER", "purl", "pkg:golang/" + m.path + "@" + m.version}}})
			}
			d.Relationships = append(d.Relationships, relationship{id, "CONTAINS", spdxID(m.path)})
		}
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetIndent("", " ")
	if err := e.Encode(d); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// spdxID is a name within the document: letters, digits, "." and "-".
func spdxID(name string) string {
	return "SPDXRef-" + strings.Map(func(r rune) rune {
		if r == '/' || r == '_' {
			return '-'
		}
		return r
	}, name)
}
