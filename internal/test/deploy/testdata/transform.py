"""Turns SAM templates into CloudFormation as the service does, and tries values
on the patterns of their parameters. Reads {"templates": [text], "values":
{parameter: [value]}} and writes, for each template, {"doc": CloudFormation,
"takes": {parameter: [bool]}} or {"error": why}."""

import json
import re
import sys

try:
    from samtranslator.translator.transform import transform
    from samtranslator.yaml_helper import yaml_parse
except ImportError as e:
    sys.exit("missing: %s" % e)


class NoManagedPolicies:
    def load(self):
        return {}


def takes(parameter, value):
    if value not in [str(v) for v in parameter.get("AllowedValues", [value])]:
        return False
    return re.fullmatch(parameter.get("AllowedPattern", "(?s).*"), value) is not None


def turn(text, values):
    template = yaml_parse(text)
    for resource in template["Resources"].values():
        if resource["Type"] == "AWS::Serverless::Function":
            resource["Properties"]["CodeUri"] = "s3://bucket/code.zip"
    parameters = template["Parameters"]
    return {
        "builds": {n: (r.get("Metadata") or {}).get("BuildMethod") for n, r in template["Resources"].items()
                   if r["Type"] == "AWS::Serverless::Function"},
        "doc": transform(template, {}, NoManagedPolicies()),
        "takes": {p: [takes(parameters.get(p, {"AllowedValues": []}), v) for v in vs] for p, vs in values.items()},
    }


def tried(text, values):
    try:
        return turn(text, values)
    except Exception as e:
        return {"error": "%s: %s" % (type(e).__name__, e)}


asked = json.load(sys.stdin)
json.dump([tried(t, asked["values"]) for t in asked["templates"]], sys.stdout, default=str)
