// A contestant of the benchmark: files from the source to CloudBase storage by one
// of the Node libraries. Jobs come as JSON lines on standard input; each is
// answered with a line.
'use strict'
const http = require(process.env.SOURCE_URL.startsWith('https') ? 'https' : 'http')
const readline = require('readline')
const agent = new http.Agent({ keepAlive: true })

function open(key) {
  return new Promise((resolve, reject) => {
    http.get(`${process.env.SOURCE_URL}/${key}`, { agent }, (res) => {
      if (res.statusCode === 200) resolve(res)
      else reject(new Error(`the source answered ${res.statusCode}`))
    }).on('error', reject)
  })
}

async function whole(stream) {
  const pieces = []
  for await (const p of stream) pieces.push(p)
  return Buffer.concat(pieces)
}

const account = { secretId: 'id', secretKey: 'key', env: 'bench', serviceUrl: `${process.env.API_URL}/admin` }
const ways = {
  'tcb-admin-node': () => {
    const app = require('tcb-admin-node')
    app.init({ ...account, forever: true })
    return async (key) => app.uploadFile({ cloudPath: key, fileContent: await open(key) })
  },
  // It takes a Buffer or a file on disk, and no other stream.
  '@cloudbase/node-sdk': () => {
    const app = require('@cloudbase/node-sdk').init({ ...account, serviceUrl: account.serviceUrl + '?' })
    return async (key) => app.uploadFile({ cloudPath: key, fileContent: await whole(await open(key)) })
  },
}
const carry = ways[process.argv[2]]()

async function job({ AtOnce, Keys }) {
  const next = Keys[Symbol.iterator]()
  const worker = async () => {
    for (const key of { [Symbol.iterator]: () => next }) {
      const out = await carry(key)
      if (!out.fileID) throw new Error(JSON.stringify(out))
    }
  }
  await Promise.all(Array.from({ length: AtOnce }, worker))
}

readline.createInterface({ input: process.stdin }).on('line', async (line) => {
  try {
    await job(JSON.parse(line))
    console.log('ok')
  } catch (err) {
    console.log(String(err).split('\n')[0])
  }
}).on('close', () => process.exit())
