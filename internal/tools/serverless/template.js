// What serverless.yml takes from template.yaml, so that the Serverless Framework deploys
// the stack that SAM deploys. The framework packs the code and names the functions; all
// the rest is the template's, with the values of params.yaml.
"use strict";

// The names of the functions in the template, and in the framework's stack.
const functions = { LambdaObjects: "ObjectsLambdaFunction", LambdaHttp: "HttpLambdaFunction", LambdaCheck: "CheckLambdaFunction" };

// The framework copies no templates into a bucket. So a stack within the stack becomes
// part of the stack, unless it has conditions of its own, which cannot move: a condition
// may not hold Fn::If.
const onlyBySam = { HttpFront: "api" };

const absent = { Ref: "AWS::NoValue" };

// rewrite replaces what refers to other parts of the template: target(name, attribute)
// returns what stands there in the framework's stack.
function rewrite(value, target) {
  if (Array.isArray(value)) return value.map((part) => rewrite(part, target));
  if (value === null || typeof value !== "object") return value;
  const [[name, argument] = []] = Object.entries(value);
  switch (Object.keys(value).length === 1 && name) {
    case "Ref":
      return target(argument);
    case "Fn::GetAtt": {
      const [resource, ...attribute] = typeof argument === "string" ? argument.split(".") : argument;
      return target(resource, attribute.join("."));
    }
    case "Fn::Sub": {
      const [text, local = {}] = [argument].flat();
      return substitute(text, local, target);
    }
  }
  return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, rewrite(part, target)]));
}

// substitute rewrites a text with ${names}. local holds the names that the text itself
// defines; what is no plain reference any more becomes one of them.
function substitute(text, local, target) {
  const names = rewrite(local, target);
  text = text.replace(/\$\{([\w:]+)\.?([\w.]*)\}/g, (all, name, attribute) => {
    if (name in local || name.startsWith("AWS::")) return all;
    const to = target(name, attribute || undefined);
    if (typeof to !== "object") return String(to);
    if (to.Ref) return "${" + (to === absent ? "AWS::NoValue" : to.Ref) + "}";
    if (to["Fn::GetAtt"]) return "${" + to["Fn::GetAtt"].join(".") + "}";
    const variable = name + attribute.replace(/\./g, "");
    names[variable] = to;
    return "${" + variable + "}";
  });
  return { "Fn::Sub": Object.keys(names).length ? [text, names] : text };
}

// plainFunction is a function of SAM's as CloudFormation has it, without the code.
function plainFunction({ Condition, Properties: { CodeUri, Tracing, ...rest } }) {
  return { Type: "AWS::Lambda::Function", ...(Condition && { Condition }), Properties: { ...rest, TracingConfig: { Mode: Tracing } } };
}

// flattened has the resources and outputs of the template, and those of the stacks within
// it under the stack's name and theirs.
async function flattened(template, read) {
  const stacks = {};
  for (const [name, { Type, Properties }] of Object.entries(template.Resources)) {
    if (Type === "AWS::CloudFormation::Stack") stacks[name] = await read(Properties.TemplateURL);
  }
  const target = (name, attribute) => {
    const [, output] = /^Outputs\.(\w+)$/.exec(attribute ?? "") ?? [];
    if (!(name in stacks)) return attribute ? { "Fn::GetAtt": [functions[name] ?? name, attribute] } : { Ref: functions[name] ?? name };
    return stacks[name].Conditions ? absent : rewrite(stacks[name].Outputs[output].Value, within(name));
  };
  const within = (stack) => (name, attribute) => {
    if (name.startsWith("AWS::")) return { Ref: name };
    const parameter = stacks[stack].Parameters[name];
    if (parameter) return rewrite(template.Resources[stack].Properties.Parameters[name] ?? parameter.Default, target);
    return attribute ? { "Fn::GetAtt": [stack + name, attribute] } : { Ref: stack + name };
  };
  const resources = {};
  for (const [name, resource] of Object.entries(template.Resources)) {
    if (!(name in stacks)) {
      resources[functions[name] ?? name] = rewrite(functions[name] ? plainFunction(resource) : resource, target);
    } else if (!stacks[name].Conditions) {
      for (const [inner, { DependsOn, ...rest }] of Object.entries(stacks[name].Resources)) {
        const { Condition } = resource;
        resources[name + inner] = { ...(Condition && { Condition }), ...rewrite(rest, within(name)), ...(DependsOn && { DependsOn: [DependsOn].flat().map((d) => name + d) }) };
      }
    }
  }
  const outputs = Object.entries(template.Outputs).map(([name, output]) => [name, rewrite(output, target)]);
  return { Resources: resources, Outputs: Object.fromEntries(outputs.filter(([, output]) => output.Value !== absent)) };
}

module.exports = async ({ resolveVariable }) => {
  const read = (path) => resolveVariable(`file(${path})`);
  const values = await resolveVariable("file(params.yaml), null");
  if (values === null) throw new Error("params.yaml is missing. Copy params.example.yaml and write your values into it.");
  for (const [name, value] of Object.entries(onlyBySam)) {
    if (values[name] === value) throw new Error(`${name}=${value} can be deployed with SAM only: see docs/deploy-aws.md.`);
  }
  const template = await read("template.yaml");
  // The framework takes no Rules: what they refuse, a function refuses when it starts.
  const { Parameters, Mappings, Conditions } = template;
  return {
    stackParameters: Object.entries(values).map(([name, value]) => ({ ParameterKey: name, ParameterValue: String(value) })),
    zipSuffix: values.Architecture === "x86_64" ? "amd64" : "arm64",
    resources: { Parameters, Mappings, Conditions, ...(await flattened(template, read)) },
  };
};
