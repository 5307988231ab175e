// Deploys each of a list of inputs with Tencent's toolkit, which the scf component is made
// of, and prints the calls of the API that it makes. Nothing is sent: the calls end here.
"use strict";
const { Capi } = require("@tencent-sdk/capi");
const { Scf } = require("tencent-component-toolkit");

let calls, created;
const answers = {
  GetFunction: () => (created ? { Status: "Active" } : { Error: { Code: "ResourceNotFound.Function", Message: "none" } }),
  ListTriggers: () => ({ Triggers: [], TotalCount: 0 }),
  CreateTrigger: (call) => ({ TriggerInfo: { ...call } }),
};
Capi.prototype.request = async function (call) {
  call = JSON.parse(JSON.stringify(call)); // as it would be sent
  created ||= call.Action === "CreateFunction";
  if (!/^(Get|List)/.test(call.Action)) calls.push({ Region: this.options.Region, ...call });
  return { Response: { RequestId: "r", ...answers[call.Action]?.(call) } };
};

(async () => {
  console.log = () => {}; // the toolkit tells what it does
  const all = [];
  for (const inputs of JSON.parse(require("fs").readFileSync(0, "utf8"))) {
    calls = [];
    created = false;
    try {
      await new Scf({ SecretId: "id", SecretKey: "key" }, inputs.region).deploy({ ...inputs, code: { bucket: "code", object: "code.zip" } });
    } catch (e) {
      calls.push({ Action: "Error", Message: e.message });
    }
    all.push(calls);
  }
  process.stdout.write(JSON.stringify(all));
})();
