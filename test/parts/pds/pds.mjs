// A real AT Protocol PDS and, in the same process, a directory of DIDs; on the loopback interface only. Started by scripts/pds, which sets the environment.
import crypto from 'node:crypto'
import fs from 'node:fs'
import { createRequire } from 'node:module'
import net from 'node:net'
import path from 'node:path'
import { pathToFileURL } from 'node:url'

const { PDS_DIR, PDS_MODULES, PDS_PORT, PLC_PORT, PDS_ACCOUNTS, PDS_RATE_LIMITS, PDS_ADMIN_PASSWORD, PDS_JWT_SECRET } = process.env
const port = Number(PDS_PORT)
const plcPort = Number(PLC_PORT)

// Both servers listen on all interfaces, and have no option for less.
const listen = net.Server.prototype.listen
net.Server.prototype.listen = function (...given) {
  if (typeof given[0] !== 'number') return listen.apply(this, given)
  return listen.call(this, given[0], '127.0.0.1', ...given.slice(1).filter((one) => typeof one === 'function'))
}

const require = createRequire(path.join(PDS_MODULES, 'package.json'))
const load = async (name) => {
  const module = await import(pathToFileURL(require.resolve(name)))
  return { ...module.default, ...module }
}
const { PlcServer, Database } = await load('@did-plc/server')
const { PDS, envToCfg, envToSecrets } = await load('@atproto/pds')

const plc = PlcServer.create({ db: Database.mock(), port: plcPort })
await plc.start()

const file = path.join(PDS_DIR, 'accounts.json')
const known = fs.existsSync(file) ? JSON.parse(fs.readFileSync(file)) : null
const data = path.join(PDS_DIR, 'data')
fs.mkdirSync(path.join(data, 'blobs'), { recursive: true })
// The key that may change the accounts' entries in the directory outlives a restart, as the accounts do.
const rotationKey = known?.rotationKey ?? crypto.randomBytes(32).toString('hex')
const environment = {
  devMode: true, port, hostname: 'localhost', serviceName: 'test PDS',
  dataDirectory: data, blobstoreDiskLocation: path.join(data, 'blobs'),
  didPlcUrl: `http://localhost:${plcPort}`, plcRotationKeyK256PrivateKeyHex: rotationKey,
  adminPassword: PDS_ADMIN_PASSWORD, jwtSecret: PDS_JWT_SECRET,
  serviceHandleDomains: ['.test'], inviteRequired: false, disableSsrfProtection: true, crawlers: [],
  rateLimitsEnabled: PDS_RATE_LIMITS === '1',
}
const server = await PDS.create(envToCfg(environment), envToSecrets(environment))
await server.start()

const url = `http://127.0.0.1:${port}`
const accounts = known?.accounts ?? []
for (let i = accounts.length + 1; i <= Number(PDS_ACCOUNTS); i++) {
  const account = { handle: `user${i}.test`, email: `user${i}@test.invalid`, password: `password-${i}` }
  const answer = await fetch(`${url}/xrpc/com.atproto.server.createAccount`, {
    method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(account),
  })
  const { did, handle, ...rest } = await answer.json()
  if (!answer.ok) throw new Error(`createAccount: ${answer.status} ${JSON.stringify(rest)}`)
  accounts.push({ ...account, handle, did })
}
fs.writeFileSync(`${file}.new`, JSON.stringify({ url, plc: `http://127.0.0.1:${plcPort}`, rotationKey, accounts }, null, 1), { mode: 0o600 })
fs.renameSync(`${file}.new`, file)
fs.writeFileSync(path.join(PDS_DIR, 'ready'), '')

const stop = async () => {
  await server.destroy()
  await plc.destroy()
  process.exit(0)
}
process.on('SIGTERM', stop)
process.on('SIGINT', stop)
