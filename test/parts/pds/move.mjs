// Moves an account to another server in the directory of DIDs, as whoever holds its rotation key may. Started by scripts/pds.
import fs from 'node:fs'
import { createRequire } from 'node:module'
import path from 'node:path'

const [, , accounts, did, server] = process.argv
const require = createRequire(path.join(process.env.PDS_MODULES, 'package.json'))
const { Client } = require('@did-plc/lib')
const { Secp256k1Keypair } = require('@atproto/crypto')
const { plc, rotationKey } = JSON.parse(fs.readFileSync(accounts))
await new Client(plc).updatePds(did, await Secp256k1Keypair.import(rotationKey), server)
