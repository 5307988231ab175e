"use strict";
// What the page says, in English and in Chinese. {0} and {1} are replaced.
const words = {
  en: {
    skip: "Skip to the files", tagline: "Staging bucket to CloudBase, on this machine", connected: "connected", lost: "connection lost",
    boardTitle: "Files on their way", bucket: "Staging bucket", cloud: "CloudBase storage",
    stTicket: "ticket", stUpload: "upload", stCheck: "check", stReceipt: "receipt", stStaged: "in the bucket",
    dropHint: "Drop files or a folder anywhere on this page", chooseFiles: "Choose files", chooseFolder: "Choose a folder", sendSample: "Send a sample",
    emptyTitle: "Nothing is on its way", emptyText: "Send a file and watch it arrive.", listLabel: "Files, the newest first", dropNow: "Drop to send",
    more: "{0} older files are not shown",
    waits: "waiting for the function", ticket: "asking for an upload ticket", upload: "uploading", check: "comparing checksums", receipt: "telling receivers",
    of: "{0} of {1}", perSecond: "{0}/s", attempt: "attempt {0}", resumed: "resumed {0}×", parts: "{0} parts there, {1} on their way",
    delivered: "arrived in {0}", skipped: "skipped: {0}", failed: "failed", attempts: "{0} attempts", inParts: "{0} parts", kept: "{0} kept",
    told: "told {0}", stored: "stored; no function took part in the upload",
    http: "HTTP", byTicket: "ticket", again: "Send again", liveOne: "{0}: {1}", liveMany: "{0} files arrived",
    faultsTitle: "Break it on purpose", faultsText: "Arm a fault of the emulators. It hits the next file, and no other.",
    f40164: ["40164", "The caller's address is not on WeChat's allow-list"], f45009: ["45009", "The day's quota of API calls is used up"],
    fcos403: ["COS 403", "COS does not allow the upload"], fsource: ["source breaks", "Reading the bucket breaks off half-way"],
    fclock: ["clock is wrong", "COS finds the time of the request wrong"], fcable: ["pull the cable", "The connection to COS breaks half-way"],
    c40164: "Add the address to the IP allow-list of the mini program, or call from a fixed address.",
    c45009: "Wait until midnight in China, or clear the quota by hand.",
    ccos403: "Check that the environment exists and that its storage permits uploads.",
    csource: "Nothing to do: the function reads on from that byte, in the same upload.",
    cclock: "Nothing to do if a new ticket helps. If not, set the clock.",
    ccable: "Nothing to do: the function sends the file again.",
    idle: "Not with an API key: no call goes to WeChat.",
    armed: "Armed: {0}.", hitsLabel: "What the function said", said: "The function said: {0}", saidDelivered: "The file arrived all the same: {0}.", cure: "Cure:", page: "Docs:",
    lineTitle: "A long line", lineText: "A long line is slow for each connection. Parts use several connections at once.",
    lineLabel: "Speed of each connection to COS", noLimit: "no limit", raceButton: "Send 8 MiB both ways", racePost: "one POST", raceParts: "in parts",
    raceOver: "Parts took {0}, one POST {1}: {2} times as fast.", raceFailed: "The race ended with an error: {0}",
    ticketTitle: "Upload by ticket", ticketText: "This page asks the HTTP function for a ticket, and posts the file to COS itself. A real environment must allow the page's origin.",
    ticketFile: "File", ticketPath: "Cloud path", ticketSend: "Get a ticket and upload", ticketDone: "Stored as {0}", ticketBad: "Failed: {0}",
    whereTitle: "Use it from elsewhere", thisPage: "page", curlText: "Send a file by HTTP:", copy: "Copy the command", copied: "Copied",
    settingsTitle: "Settings in force", settingsText: "Variables of the functions. Yours are marked; secrets are hidden.", variable: "Variable", value: "Value", yours: " (yours)",
    close: "Close", history: "History", answer: "Answer", log: "Log line", proof: "Proof", put: "Put", arrived: "Arrived", none: "none yet",
    same: "the same content: SHA-256 is equal", differ: "the content differs", noContent: "The digest of so large a file is not computed.", readable: "readable for the mini program",
    sStaged: "put", sAsked: "asked", sOpened: "opened", sResumed: "read on", sTicket: "ticket", sIssued: "ticket issued", sUpload: "upload", sParts: "parts begun", sComplete: "parts joined", sStored: "stored",
    sCut: "connection cut", sRefused: "refused", sChecked: "checked", sReceipt: "receipt", sDelivered: "delivered", sSkipped: "skipped", sFailed: "failed", sFault: "fault",
    sendFailed: "{0} could not be sent: {1}",
  },
  zh: {
    skip: "跳到文件列表", tagline: "从暂存桶到云开发，全部在本机", connected: "已连接", lost: "连接已断开",
    boardTitle: "传输中的文件", bucket: "暂存桶", cloud: "云开发云存储",
    stTicket: "凭证", stUpload: "上传", stCheck: "校验", stReceipt: "通知", stStaged: "已在桶中",
    dropHint: "把文件或文件夹拖到页面任意位置", chooseFiles: "选择文件", chooseFolder: "选择文件夹", sendSample: "发送示例文件",
    emptyTitle: "现在没有文件在路上", emptyText: "发送一个文件，看它如何到达云存储。", listLabel: "文件，最新的在前", dropNow: "松开即可发送",
    more: "另有 {0} 个较早的文件未显示",
    waits: "等待函数处理", ticket: "正在获取上传凭证", upload: "正在上传", check: "正在比对校验和", receipt: "正在通知接收方",
    of: "{0} / {1}", perSecond: "{0}/秒", attempt: "第 {0} 次尝试", resumed: "续读 {0} 次", parts: "已到 {0} 个分块，{1} 个在途",
    delivered: "已送达，用时 {0}", skipped: "已跳过：{0}", failed: "失败", attempts: "尝试 {0} 次", inParts: "{0} 个分块", kept: "沿用 {0} 个",
    told: "已通知 {0}", stored: "已存储；上传过程没有经过函数",
    http: "HTTP", byTicket: "凭证", again: "重新发送", liveOne: "{0}：{1}", liveMany: "{0} 个文件已送达",
    faultsTitle: "故意弄坏它", faultsText: "预设一个模拟器故障。它只作用于下一个文件。",
    f40164: ["40164", "调用方 IP 不在微信的白名单中"], f45009: ["45009", "当天的接口调用额度已用完"],
    fcos403: ["COS 403", "COS 不允许这次上传"], fsource: ["源中断", "读取存储桶时中途断开"],
    fclock: ["时钟不准", "COS 认为请求的时间不对"], fcable: ["拔掉网线", "到 COS 的连接中途断开"],
    c40164: "把该地址加入小程序的 IP 白名单，或者改用固定出口 IP。",
    c45009: "等到北京时间零点，或者手动清零额度。",
    ccos403: "检查环境是否存在，以及云存储是否允许上传。",
    csource: "无需处理：函数会从断开的字节继续读，仍是同一次上传。",
    cclock: "换用新凭证后成功则无需处理；否则请校准时钟。",
    ccable: "无需处理：函数会重新发送文件。",
    idle: "使用 API Key 时不可用：不会调用微信接口。",
    armed: "已就绪：{0}。", hitsLabel: "函数的说法", said: "函数的说法：{0}", saidDelivered: "文件仍然送达：{0}。", cure: "处理办法：", page: "文档：",
    lineTitle: "长距离线路", lineText: "线路越长，单个连接越慢。分块上传同时使用多个连接。",
    lineLabel: "每个到 COS 的连接的速度", noLimit: "不限速", raceButton: "用两种方式各发送 8 MiB", racePost: "单次 POST", raceParts: "分块上传",
    raceOver: "分块用时 {0}，单次 POST 用时 {1}，快 {2} 倍。", raceFailed: "对比出错：{0}",
    ticketTitle: "凭证直传", ticketText: "本页向 HTTP 函数获取凭证，再自行把文件 POST 到 COS。真实环境需要先允许页面所在的域名。",
    ticketFile: "文件", ticketPath: "云端路径", ticketSend: "获取凭证并上传", ticketDone: "已存储为 {0}", ticketBad: "失败：{0}",
    whereTitle: "从别处使用", thisPage: "本页", curlText: "用 HTTP 发送文件：", copy: "复制命令", copied: "已复制",
    settingsTitle: "当前生效的配置", settingsText: "函数的环境变量。你设置的会标出，密钥已隐藏。", variable: "变量", value: "值", yours: "（你的）",
    close: "关闭", history: "经过", answer: "应答", log: "日志行", proof: "证明", put: "放入", arrived: "到达", none: "暂无",
    same: "内容一致：SHA-256 相同", differ: "内容不一致", noContent: "文件太大，未计算摘要。", readable: "小程序可读",
    sStaged: "放入", sAsked: "请求", sOpened: "打开", sResumed: "续读", sTicket: "凭证", sIssued: "凭证已发放", sUpload: "上传", sParts: "开始分块", sComplete: "合并分块", sStored: "已存储",
    sCut: "连接中断", sRefused: "被拒绝", sChecked: "已校验", sReceipt: "通知", sDelivered: "已送达", sSkipped: "已跳过", sFailed: "失败", sFault: "故障",
    sendFailed: "{0} 未能发送：{1}",
    "staging bucket": "暂存桶", "WeChat API": "微信接口", "CloudBase API": "云开发接口", "HTTP function": "HTTP 函数", "HTTP key": "HTTP 密钥", webhook: "Webhook",
  },
};
const language = (navigator.language || "en").toLowerCase().startsWith("zh") ? "zh" : "en";
const t = (name, ...values) => {
  const text = words[language][name] ?? name;
  return typeof text === "string" ? text.replace(/\{(\d)\}/g, (_, i) => values[i]) : text;
};
const $ = (id) => document.getElementById(id);
const make = (tag, props = {}, ...children) => {
  const el = Object.assign(document.createElement(tag), props);
  el.append(...children);
  return el;
};
const bytes = (n) => {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let i = 0;
  for (; n >= 1000 && i < units.length - 1; i++) n /= 1024;
  return (i && n < 9.95 ? n.toFixed(1) : Math.round(n)) + " " + units[i];
};
// visible writes control characters out, so that a key looks like what it is.
const visible = (s) => s.replace(/[\u0000-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]/g, (c) => "\\u" + c.charCodeAt(0).toString(16).padStart(4, "0"));
const seconds = (ms) => ms < 1000 ? ms + " ms" : (ms / 1000).toFixed(1) + " s";

document.documentElement.lang = language === "zh" ? "zh-CN" : "en";
for (const el of document.querySelectorAll("[data-t]")) el.textContent = t(el.dataset.t);
for (const el of document.querySelectorAll("[data-label]")) el.setAttribute("aria-label", t(el.dataset.label));
