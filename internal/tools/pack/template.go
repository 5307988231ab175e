package main

import (
	"fmt"
	"regexp"
	"strings"
)

// code are the lines of a SAM function that say where its code is. sam build reads the
// first form, CloudFormation the second.
var code = regexp.MustCompile(`(?m)^  (Lambda[A-Z][a-z]+):\n    Type: AWS::Serverless::Function\n(?:    .*\n)*?      CodeUri: \.\n`)

// nested is where a stack within the stack has its template. sam deploy copies it into a
// bucket.
var nested = regexp.MustCompile(`(?m)^      TemplateURL: stacks/([a-z-]+\.yaml)\n`)

// packagedTemplate is template.yaml for those who deploy a release without SAM's CLI: each
// function takes its zip from a bucket of theirs, the one for its architecture, and each
// stack within the stack its template.
// CloudFormation itself runs SAM's transform. The key names the version and is no
// parameter: an update would keep its old value, and with it the old code.
func packagedTemplate(text, version string) (string, error) {
	insert := func(section, lines string) error {
		if strings.Count(text, "\n"+section) != 1 {
			return fmt.Errorf("there must be one section %q", section)
		}
		text = strings.Replace(text, "\n"+section, "\n"+section+lines, 1)
		return nil
	}
	if n := strings.Count(text, "CodeUri: ."); n == 0 || n != len(code.FindAllString(text, -1)) {
		return "", fmt.Errorf("%d functions take their code from this directory, and %d are understood", n, len(code.FindAllString(text, -1)))
	}
	prefix := "tcbferry/" + version + "/"
	text = code.ReplaceAllStringFunc(text, func(function string) string {
		zip := "lambda-" + strings.ToLower(strings.TrimPrefix(code.FindStringSubmatch(function)[1], "Lambda"))
		return strings.Replace(function, "CodeUri: .\n", `CodeUri:
        Bucket: !Ref CodeBucket
        Key: !If [OnArm, `+prefix+zip+"-arm64.zip, "+prefix+zip+"-amd64.zip]\n", 1)
	})
	if n := strings.Count(text, "TemplateURL: "); n != len(nested.FindAllString(text, -1)) {
		return "", fmt.Errorf("%d stacks have a template, and %d are understood", n, len(nested.FindAllString(text, -1)))
	}
	text = nested.ReplaceAllString(text, `      TemplateURL: !Sub "https://$${CodeBucket}.s3.$${AWS::Region}.$${AWS::URLSuffix}/`+prefix+"tcbferry-$1\"\n")
	for _, s := range []struct{ section, lines string }{
		{"Parameters:\n", `  CodeBucket:
    Type: String
    Description: Bucket in this region that has the files of the release under ` + prefix + `
    AllowedPattern: "^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$"
`},
		{"    ParameterGroups:\n", `      - Label: {default: "Code"}
        Parameters: [CodeBucket]
`},
		{"Conditions:\n", "  OnArm: !Equals [!Ref Architecture, arm64]\n"},
	} {
		if err := insert(s.section, s.lines); err != nil {
			return "", err
		}
	}
	return text, nil
}
