// What a mini program's runtime does of the calls in docs/ticket-uploads.md, over fetch.
import {openAsBlob, readFileSync} from "node:fs";

const {URL: endpoint, KEY, FILE, TO, TYPE} = process.env;

const send = (task, method, headers, body) =>
  fetch(task.url, {method, headers, body}).then(
    async (answer) => task.success({statusCode: answer.status, data: await answer.text()}),
    (error) => task.fail({errMsg: "request:fail " + error}),
  );

const wx = {
  // The form's data come first, then the file.
  async uploadFile(task) {
    const form = new FormData();
    for (const [name, value] of Object.entries(task.formData)) form.append(name, value);
    form.append(task.name, await openAsBlob(task.filePath), "tmp_1.mp4");
    return send(task, "POST", {}, form);
  },
  request: (task) => send(task, task.method, task.header, task.data),
  getFileSystemManager: () => ({readFileSync: (path) => { const b = readFileSync(path); return b.buffer.slice(b.byteOffset, b.byteOffset + b.length); }}),
};

const ticketFor = async (path) => {
  const answer = await fetch(endpoint + "/tickets", {
    method: "POST",
    headers: {Authorization: "Bearer " + KEY, "Content-Type": "application/json"},
    body: JSON.stringify({path}),
  });
  return answer.json();
};

setImmediate(() => upload(TO, FILE, TYPE).then(console.log, (error) => { console.error(error); process.exitCode = 1; }));
